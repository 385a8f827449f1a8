package relay

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"noecho/internal/raced"
	"noecho/proxy/wire"
	"noecho/proxy/wire/api"
)

// TestGenericRepeats: a string that every message repeats is scanned all the same, and one
// that begins like that and turns into a text is found.
func TestGenericRepeats(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Family = api.ByName("generic")
	var in strings.Builder
	for _, w := range append([]string{"so ", "so ", "so "}, strings.SplitAfter(secret+" and on ", " ")...) {
		fmt.Fprintf(&in, "data: {\"state\":\"busy\",\"out\":%s}\n\n", mustJSON(w))
	}
	got := everySplit(t, cfg, in.String())
	if len(got.findings) != 1 || strings.Contains(got.out, "bravo") {
		t.Errorf("%q in %s", got.findings, got.out)
	}
	whole := "data: {\"state\":" + string(mustJSON(secret)) + "}\n\n"
	if got := everySplit(t, cfg, whole+whole+whole); len(got.findings) != 1 || strings.Count(got.out, "[redacted]") != 3 || strings.Contains(got.out, "bravo") {
		t.Errorf("%q in %s", got.findings, got.out)
	}
}

// TestGenericEqualTexts: a clean answer whose texts are equal leaves as it came.
func TestGenericEqualTexts(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		`{"a":["hello","hello"]}`,
		`{"items":[{"output":"x"},{"output":"x"}]}`,
		"data: {\"output\":\"hello\"}\n\ndata: {\"output\":\"hello\"}\n\ndata: {\"output\":\" there\"}\n\n",
	} {
		for _, mode := range []Decision{redacting, blocking} {
			cfg := testConfig(t)
			cfg.Family, cfg.Decision = api.ByName("generic"), mode
			if in[0] == '{' {
				if got, status := whole(cfg, in); got.out != in || got.err != nil || status != 0 {
					t.Errorf("%v: %d, %v, %s for %s", mode, status, got.err, got.out, in)
				}
			} else if got := everySplit(t, cfg, in); got.out != in {
				t.Errorf("%v: %s for %s", mode, got.out, in)
			}
		}
	}
}

// TestGenericNumbers: rows of whole numbers may be a text.
func TestGenericNumbers(t *testing.T) {
	t.Parallel()
	long := strings.TrimSuffix(strings.Repeat("12,", 33), ",")
	for name, c := range map[string]struct {
		in   string
		want string // "" as it is, "-" refused
	}{
		"a long row":       {`{"data":[` + long + `]}`, "-"},
		"nested":           {`{"a":[[` + long + `]]}`, "-"},
		"not whole":        {`{"data":[` + long + `,0.5]}`, ""},
		"negative":         {`{"data":[-1,` + long + `]}`, ""},
		"large":            {`{"data":[` + strings.ReplaceAll(long, "12", "1700000000") + `]}`, ""},
		"in a usual place": {`{"context":[` + long + `],"text":"fine"}`, ""},
		"short":            {`{"box":[1,2,3,4]}`, ""},
		"beside a leak":    {`{"ids":[7,8],"context":[` + long + `],"text":` + string(mustJSON(secret)) + `,"took":[0.5]}`, `{"ids":[],"context":null,"text":"[redacted]","took":[0.5]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			cfg.Family = api.ByName("generic")
			got, status := whole(cfg, c.in)
			switch {
			case c.want == "-":
				if !errors.Is(got.err, ErrRefused) || status != 400 {
					t.Errorf("%v, %d, %s", got.err, status, got.out)
				}
				cfg.Pass = true
				if got, _ := whole(cfg, c.in); got.out != c.in || got.counts.Passed != int64(len(c.in)) {
					t.Errorf("passed: %s %+v", got.out, got.counts)
				}
			case c.want == "" && got.out != c.in, c.want != "" && got.out != c.want:
				t.Errorf("%s, %v", got.out, got.err)
			}
		})
	}
}

// TestBatch: each line of a file of results is judged as an answer of its own.
func TestBatch(t *testing.T) {
	t.Parallel()
	first, second, _ := strings.Cut(secret, " delta")
	openai := func(id, text string) string {
		return `{"id":"b","custom_id":"` + id + `","response":{"status_code":200,"body":{"choices":[{"index":0,"message":{"role":"assistant","content":` + string(mustJSON(text)) + `},"logprobs":{"content":[{"token":"x","bytes":[120]}]}}]}},"error":null}` + "\n"
	}
	anthropic := func(id, text string) string {
		return `{"custom_id":"` + id + `","result":{"type":"succeeded","message":{"type":"message","content":[{"type":"text","text":` + string(mustJSON(text)) + `}]}}}` + "\r\n"
	}
	in := openai("a", "fine") + openai("b", first) + openai("c", "delta"+second) + openai("d", "so "+secret+" it was") + "\n" + anthropic("e", secret) + anthropic("f", "fine too")
	const none = `"logprobs":null`
	tests := map[Decision]string{
		observing: in,
		redacting: openai("a", "fine") + openai("b", first) + openai("c", "delta"+second) +
			strings.Replace(openai("d", "so [redacted] it was"), `"logprobs":{"content":[{"token":"x","bytes":[120]}]}`, none, 1) + "\n" + anthropic("e", "[redacted]") + anthropic("f", "fine too"),
		blocking: openai("a", "fine") + openai("b", first) + openai("c", "delta"+second) +
			`{"custom_id":"d","response":{"status_code":400,"body":{"error":{"message":"withheld: the answer would repeat training data","type":"invalid_request_error","code":"content_filter"}}},"error":null}` + "\n\n" +
			`{"custom_id":"e","result":{"type":"errored","error":{"type":"error","error":{"type":"invalid_request_error","message":"withheld: the answer would repeat training data"}}}}` + "\r\n" + anthropic("f", "fine too"),
	}
	for mode, want := range tests {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			cfg.Family, cfg.Framing, cfg.Decision = api.ByName("batch"), wire.Records, mode
			got := everySplit(t, cfg, in)
			if got.out != want || got.err != nil {
				t.Errorf("%v\ngot  %s\nwant %s", got.err, got.out, want)
			}
			if len(got.findings) != 2 || !strings.Contains(strings.Join(got.findings, " "), "lines.3.response.body.choices.[].message.content") {
				t.Errorf("findings %q", got.findings)
			}
		})
	}
}

// TestBatchUnscannable: a line that cannot be scanned is replaced, or passed and
// counted; the others stay.
func TestBatchUnscannable(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Family, cfg.Framing = api.ByName("batch"), wire.Records
	const good, bad = `{"custom_id":"a","response":{}}` + "\n", `{"custom_id":"b","custom_id":"c"}` + "\n"
	got := everySplit(t, cfg, good+bad+good)
	if strings.Count(got.out, good) != 2 || strings.Contains(got.out, bad) || !strings.Contains(got.out, "unscannable_content") || got.counts.Refused != int64(len(bad)) {
		t.Errorf("%s %+v", got.out, got.counts)
	}
	cfg.Pass = true
	if got := everySplit(t, cfg, good+bad+good); got.out != good+bad+good || got.counts.Passed != int64(len(bad)) {
		t.Errorf("%s %+v", got.out, got.counts)
	}
}

// TestBatchMemory: a long file takes no more memory than one line, and its
// ranges are not asked for.
func TestBatchMemory(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Family, cfg.Framing = api.ByName("batch"), wire.Records
	r := New(cfg)
	var out []byte
	lines := raced.Fewer(20_000)
	for i := range lines {
		line := fmt.Appendf(nil, `{"custom_id":"r-%d","response":{"body":{"k%d":"a","choices":[{"message":{"content":"this is line number %d of a long file of results"}}]}}}`+"\n", i, i, i)
		var err error
		if out, err = r.Append(out[:0], line); err != nil || string(out) != string(line) {
			t.Fatalf("%v, %s", err, out)
		}
	}
	if len(r.channels.list) > 0 || len(r.channels.spare) > 16 || cap(r.queue.buf) > keepStorage {
		t.Errorf("%d channels, %d spare detectors and %d bytes after %d lines", len(r.channels.list), len(r.channels.spare), cap(r.queue.buf), lines)
	}
}
