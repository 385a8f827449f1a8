package api

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"noecho/proxy/wire"
)

// genericFields returns the fields that a locator finds, one a line: role, channel and
// text.
func genericFields(t testing.TB, framing wire.Framing, payload string) []string {
	t.Helper()
	fields, err := wire.NewLocator(generic, framing).Locate([]byte(payload))
	if err != nil {
		t.Fatalf("%v in %s", err, payload)
	}
	var out []string
	for _, f := range fields {
		if f.Role == wire.Begin {
			continue
		}
		role := map[wire.Role]string{wire.Text: "text", wire.Metadata: "metadata", wire.Drop: "drop", wire.Done: "done"}[f.Role]
		if f.Separate {
			role += "+"
		}
		if f.Form == wire.Nested || f.Form == wire.Document {
			role += "{}"
		}
		if f.Item >= 0 {
			role += fmt.Sprint(f.Item)
		}
		out = append(out, strings.TrimSpace(role+" "+f.Name)+" "+payload[f.Lo:f.Hi])
	}
	return out
}

// TestGenericLocate finds the texts in answers of APIs without a table.
func TestGenericLocate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		framing wire.Framing
		in      string
		want    []string
	}{
		{"Triton", wire.SSE, `{"model_name":"m","text_output":" a","sequence_id":"4"}`, []string{`metadata+ model_name "m"`, `text text_output " a"`, `metadata+ sequence_id "4"`}},
		{"Assistants", wire.SSE, `{"id":"m","delta":{"content":[{"type":"text","text":{"value":"a"}}]}}`, []string{`metadata+ id "m"`, `metadata+ delta.content.0.type "text"`, `text delta.content.0.text.value "a"`}},
		{"choices", wire.SSE, `{"choices":[{"text":"a","index":3}]}`, []string{`text3 choices.#.text "a"`}},
		{"an index that is none", wire.SSE, `{"choices":[{"index":"x y","text":"a"},{"index":-1.5,"text":"b"}]}`, []string{`text0 choices.#.index "x y"`, `text0 choices.#.text "a"`, `text1 choices.#.text "b"`}},
		{"strings in a list of a stream", wire.SSE, `{"out":["a"," b"]}`, []string{`metadata+0 keys.# "out"`, `text out.[] "a"`, `text out.[] " b"`}},
		{"strings in a list", wire.JSON, `{"out":["a","b"]}`, []string{`metadata+0 keys.# "out"`, `text+ out.[] "a"`, `text+ out.[] "b"`}},
		{"arguments", wire.JSON, `{"call":{"arguments":{"a":"b"}},"x":{"arguments":"{}"}}`, []string{`metadata+0 keys.# "call"`, `text{} call.arguments {"a":"b"}`, `metadata+0 keys.# "x"`, `text{} x.arguments "{}"`}},
		{"numbers", wire.JSON, `{"a":[1,2],"b":[1.5],"c":[],"d":7,"token_ids":[1]}`, []string{`metadata+0 keys.# "a"`, `drop [1,2]`, `metadata+0 keys.# "b"`, `metadata+0 keys.# "c"`, `metadata+0 keys.# "d"`, `drop [1]`}},
		{"logprobs", wire.JSON, `{"logprobs":{"x":["t"]}}`, []string{`drop {"x":["t"]}`, `metadata+1 keys.# "x"`, `text+ logprobs.x.[] "t"`}},
		{"a string", wire.JSON, `"a b"`, []string{`text "a b"`}},
		{"names", wire.JSON, `{"what a name for it is":1}`, []string{`metadata+0 keys.# "what a name for it is"`}},
		{"the end", wire.SSE, `[DONE]`, []string{`done`}},
	} {
		got := genericFields(t, c.framing, c.in)
		for i := range got {
			got[i] = strings.TrimSpace(got[i])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got  %q\nwant %q", c.name, got, c.want)
		}
	}
}

// TestGenericRequest finds the texts of requests.
func TestGenericRequest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, body, seen, tail string }{
		{"prompt", `{"model":"m","prompt":"say it","n":2}`, "say it", "say it"},
		{"text_input", `{"text_input":"say","parameters":{"stop":["x"]}}`, "say|x", "say"},
		{"messages", `{"messages":[{"role":"user","content":"a b"},{"role":"user","content":"c"}]}`, "a b|c", "c"},
		{"messages that are text", `{"message":"a","messages":"b"}`, "a|b", "a"},
		{"a list", `["a",{"b":"c"}]`, "a|c", ""},
		{"a form", "--x\r\nContent-Disposition: form-data\r\n", "", ""},
		{"nothing", "", "", ""},
	} {
		r, err := generic.Request("/", []byte(c.body))
		if got := string(bytes.Join(r.Messages, []byte("|"))); err != nil || got != c.seen || string(r.Tail) != c.tail {
			t.Errorf("%s: %q, tail %q, %v", c.name, got, r.Tail, err)
		}
	}
	for _, body := range []string{`{"prompt":"a","prompt":"b"}`, `{"prompt":`, `{} {}`} {
		if _, err := generic.Request("/", []byte(body)); err == nil {
			t.Errorf("%s is no error", body)
		}
	}
}

// TestGenericFraming checks the framing for the content types of APIs without a table.
func TestGenericFraming(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]wire.Framing{
		"application/json": wire.JSON, "text/event-stream": wire.SSE, "application/x-ndjson": wire.Lines, "application/jsonl": wire.Lines,
		"text/plain": wire.PlainText, "text/vtt": wire.PlainText, "": wire.Lines, "application/octet-stream": wire.JSON,
	} {
		if got := generic.Framing(kind, wire.Request{Stream: true}); got != want {
			t.Errorf("%q is %v, want %v", kind, got, want)
		}
	}
	if got := batch.Framing("application/octet-stream", wire.Request{}); got != wire.Records {
		t.Errorf("a batch is %v", got)
	}
}

// TestBatchRecord: the line of a request that failed names no more than an id.
func TestBatchRecord(t *testing.T) {
	t.Parallel()
	const body = `"response":{"status_code":400,"body":{"error":{"message":"m","type":"invalid_request_error","code":"c"}}},"error":null}`
	for in, want := range map[string]string{
		`{"custom_id":"a-1","response":{}}`:       `{"custom_id":"a-1",` + body,
		`{"custom_id":"dear Sarah","response":1}`: `{` + body,
		`{"custom_id":7}`:                         `{` + body,
		`no JSON`:                                 `{` + body,
		`{"custom_id":"a","result":{}}`:           `{"custom_id":"a","result":{"type":"errored","error":{"type":"error","error":{"type":"invalid_request_error","message":"m"}}}}`,
	} {
		if got := string(batch.Record(nil, []byte(in), wire.Failure{Message: "m", Code: "c"})); got != want {
			t.Errorf("%s: got  %s\nwant %s", in, got, want)
		}
	}
}

// FuzzGeneric: in any message places ascend and lie inside of it.
func FuzzGeneric(f *testing.F) {
	f.Add([]byte(`{"a":[1,2,[3]],"arguments":{"b":"c"},"logprobs":["x"],"choices":[{"index":"x"}]}`))
	f.Add([]byte(`[[[["a"]]],"b",{"id":"c"}]`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, framing := range []wire.Framing{wire.JSON, wire.SSE, wire.Records} {
			fields, err := wire.NewLocator(generic, framing).Locate(payload)
			if err != nil {
				continue
			}
			at := 0
			for _, p := range fields {
				if p.Role == wire.Begin || p.Role == wire.Done {
					continue
				}
				if p.Lo < at || p.Hi <= p.Lo || p.Hi > len(payload) {
					t.Fatalf("%+v after %d in %q", p, at, payload)
				}
				at = p.Lo
			}
		}
		_, _ = generic.Request("/", payload)
		_ = batch.Record(nil, payload, wire.Failure{})
	})
}
