package relay

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"noecho/proxy/wire"
)

const (
	geminiPath       = "/v1beta/models/gemini-2.5-flash:generateContent"
	geminiStreamPath = "/v1beta/models/gemini-2.5-flash:streamGenerateContent"
	vertexPath       = "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-flash:streamGenerateContent"
	geminiAsk        = `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`
)

// geminiShape is one kind of Gemini's parts.
type geminiShape struct {
	name string
	// part is the part that carries a piece of the text.
	part func(piece string) string
	// read returns the text of a part.
	read func(part map[string]any) string
	// beside, if not nil, returns the other members of a candidate, from all the
	// text so far.
	beside func(pieces []string) string
	schema bool // the text is JSON
	whole  bool // the part carries all of the text, streamed or not
	paths  bool // only streams have it
}

// geminiCases are the shapes of Gemini in its three framings.
func geminiCases() []apiCase {
	member := func(object, name string) func(map[string]any) string {
		return func(part map[string]any) string {
			if object != "" {
				part, _ = part[object].(map[string]any)
			}
			s, _ := part[name].(string)
			return s
		}
	}
	text := func(format string) func(string) string {
		return func(piece string) string { return fmt.Sprintf(format, mustJSON(piece)) }
	}
	shapes := []geminiShape{
		{name: "text", part: text(`{"text":%s}`), read: member("", "text")},
		{name: "thought", part: text(`{"text":%s,"thought":true}`), read: member("", "text")},
		{name: "code", part: text(`{"executableCode":{"language":"PYTHON","code":%s}}`), read: member("executableCode", "code")},
		{name: "code result", part: text(`{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":%s}}`), read: member("codeExecutionResult", "output")},
		{
			name: "function call", whole: true,
			part: text(`{"functionCall":{"name":"f","args":{"n":[1,{"to":%s}]}}}`),
			read: func(part map[string]any) string {
				call, _ := part["functionCall"].(map[string]any)
				args, _ := call["args"].(map[string]any)
				list, _ := args["n"].([]any)
				if len(list) != 2 || list[0] != 1.0 {
					return ""
				}
				s, _ := list[1].(map[string]any)["to"].(string)
				return s
			},
		},
		{
			name: "function call in pieces", paths: true,
			part: text(`{"functionCall":{"partialArgs":[{"jsonPath":"$.n","stringValue":"x "},{"jsonPath":"$.to","stringValue":%s}],"willContinue":true}}`),
			read: func(part map[string]any) string {
				call, _ := part["functionCall"].(map[string]any)
				args, _ := call["partialArgs"].([]any)
				if len(args) != 2 {
					return ""
				}
				s, _ := args[1].(map[string]any)["stringValue"].(string)
				return s
			},
		},
		{
			name: "JSON text", schema: true, whole: true,
			part: func(piece string) string {
				return fmt.Sprintf(`{"text":%s}`, mustJSON(fmt.Sprintf(`{"a": %s, "b": 1}`, mustJSON(piece))))
			},
			read: func(part map[string]any) string {
				var inner struct{ A string }
				s, _ := part["text"].(string)
				if json.Unmarshal([]byte(s), &inner) != nil { // a block cuts it off
					inner.A, _, _ = strings.Cut(strings.TrimPrefix(s, `{"a": "`), `"`)
				}
				return inner.A
			},
		},
		{
			name: "logprobs", part: text(`{"text":%s}`), read: member("", "text"),
			beside: func(pieces []string) string {
				var chosen, top []string
				for _, p := range pieces {
					chosen = append(chosen, fmt.Sprintf(`{"token":%s,"tokenId":7,"logProbability":-0.1}`, mustJSON(p)))
					top = append(top, fmt.Sprintf(`{"candidates":[{"token":%s},{"token":"no"}]}`, mustJSON(p)))
				}
				return fmt.Sprintf(`,"logprobsResult":{"chosenCandidates":[%s],"topCandidates":[%s]}`, strings.Join(chosen, ","), strings.Join(top, ","))
			},
		},
		{
			name: "grounding", part: text(`{"text":%s}`), read: member("", "text"),
			beside: func(pieces []string) string {
				all := mustJSON(strings.Join(pieces, ""))
				return fmt.Sprintf(`,"groundingMetadata":{"webSearchQueries":[%s],"groundingChunks":[{"retrievedContext":{"text":%s,"title":"a page"}}],"groundingSupports":[{"segment":{"startIndex":1,"endIndex":9,"text":%s},"groundingChunkIndices":[0]}]},"citationMetadata":{"citations":[{"startIndex":1,"title":%s,"uri":"https://a.example/b?c"}]},"finishMessage":%s`, all, all, all, all, all)
			},
		},
	}
	var cases []apiCase
	for _, s := range shapes {
		if !s.paths {
			cases = append(cases, geminiWhole(s))
		}
		cases = append(cases, geminiStreamed(s, "events"), geminiStreamed(s, "array"))
	}
	return append(cases, geminiSeveral())
}

func (s *geminiShape) ask() string {
	if s.schema {
		return strings.TrimSuffix(geminiAsk, "}") + `,"generationConfig":{"responseMimeType":"application/json"}}`
	}
	return geminiAsk
}

// geminiWhole is a shape in one piece.
func geminiWhole(s geminiShape) apiCase {
	return apiCase{
		api: "gemini", shape: s.name, path: geminiPath, ask: s.ask(), contentType: "application/json",
		body: func(pieces []string) []byte {
			beside := ""
			if s.beside != nil {
				beside = s.beside(pieces)
			}
			return fmt.Appendf(nil, "{\n \"candidates\": [{\"content\":{\"parts\":[%s],\"role\":\"model\"},\"finishReason\":\"STOP\"%s}],\n \"usageMetadata\":{\"totalTokenCount\":9},\"modelVersion\":\"gemini-2.5-flash\"}\n",
				s.part(strings.Join(pieces, "")), beside)
		},
		text: func(t *testing.T, body []byte) string {
			said, finish := geminiMessage(t, body, s.read)
			if finish != "STOP" {
				t.Errorf("finishReason is %q in %s", finish, body)
			}
			return said
		},
	}
}

// geminiStreamed is a shape as events or as an array.
func geminiStreamed(s geminiShape, framing string) apiCase {
	c := apiCase{api: "gemini", shape: s.name + " (" + framing + ")", path: geminiStreamPath, ask: s.ask(), contentType: "application/json"}
	if framing == "events" {
		c.contentType = "text/event-stream"
	} else {
		c.path = vertexPath
	}
	c.body = func(pieces []string) []byte {
		said := pieces
		if s.whole {
			said = []string{strings.Join(pieces, "")}
		}
		var messages []string
		for _, p := range said {
			beside := ""
			if s.beside != nil && s.name == "logprobs" {
				beside = s.beside([]string{p})
			}
			messages = append(messages, fmt.Sprintf(`{"candidates":[{"content":{"parts":[%s],"role":"model"},"index":0%s}],"usageMetadata":{"promptTokenCount":2},"modelVersion":"gemini-2.5-flash"}`, s.part(p), beside))
		}
		beside := ""
		if s.beside != nil && s.name != "logprobs" {
			beside = s.beside(pieces)
		}
		messages = append(messages, fmt.Sprintf(`{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0%s}],"usageMetadata":{"totalTokenCount":9},"modelVersion":"gemini-2.5-flash"}`, beside))
		return []byte(geminiJoin(framing, messages))
	}
	c.text = func(t *testing.T, body []byte) string {
		var said, finish string
		for _, m := range geminiSplit(t, framing, body) {
			s, f := geminiMessage(t, m, s.read)
			said, finish = said+s, finish+f
		}
		if finish != "STOP" && finish != "RECITATION" {
			t.Errorf("finishReason is %q in %s", finish, body)
		}
		return said
	}
	c.filtered = func(t *testing.T, body []byte) {
		messages := geminiSplit(t, framing, body)
		last := string(messages[len(messages)-1])
		if s.whole {
			if !strings.Contains(string(body), "RECITATION") {
				t.Errorf("got %s", body)
			}
			return
		}
		if last != `{"candidates":[{"finishReason":"RECITATION","index":0}],"usageMetadata":{"promptTokenCount":2},"modelVersion":"gemini-2.5-flash"}` {
			t.Errorf("ends in %s", last)
		}
	}
	return c
}

// geminiSeveral is a stream of two candidates, of which the second leaks.
func geminiSeveral() apiCase {
	c := apiCase{api: "gemini", shape: "candidates (array)", path: geminiStreamPath, ask: geminiAsk, contentType: "application/json"}
	c.body = func(pieces []string) []byte {
		var messages []string
		for _, p := range pieces {
			messages = append(messages, fmt.Sprintf(`{"candidates":[{"content":{"parts":[{"text":"a "}]}},{"content":{"parts":[{"text":%s}]},"index":1}]}`, mustJSON(p)))
		}
		messages = append(messages, `{"candidates":[{"finishReason":"STOP"}]}`, `{"candidates":[{"finishReason":"STOP","index":1}]}`)
		return []byte(geminiJoin("array", messages))
	}
	c.text = func(t *testing.T, body []byte) string {
		said, finish := "", [2]int{}
		for _, m := range geminiSplit(t, "array", body) {
			var a struct {
				Candidates []struct {
					Index        int
					FinishReason string
					Content      struct{ Parts []struct{ Text string } }
				}
			}
			if err := json.Unmarshal(m, &a); err != nil {
				t.Fatal(err)
			}
			for _, c := range a.Candidates {
				for _, p := range c.Content.Parts {
					if c.Index == 1 {
						said += p.Text
					} else if p.Text != "a " {
						t.Errorf("the other candidate says %q", p.Text)
					}
				}
				if c.FinishReason != "" {
					finish[c.Index]++
				}
			}
		}
		if finish != [2]int{1, 1} {
			t.Errorf("%v candidates ended in %s", finish, body)
		}
		return said
	}
	return c
}

// geminiJoin makes a stream of messages.
func geminiJoin(framing string, messages []string) string {
	if framing == "array" {
		return "[" + strings.Join(messages, "\n,\r\n") + "\n]\n"
	}
	return "data: " + strings.Join(messages, "\r\n\r\ndata: ") + "\r\n\r\n"
}

// geminiSplit takes a stream apart, which has to be whole.
func geminiSplit(t *testing.T, framing string, body []byte) []json.RawMessage {
	t.Helper()
	var list []json.RawMessage
	if framing == "array" {
		if err := json.Unmarshal(body, &list); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		return list
	}
	text := strings.ReplaceAll(string(body), "\r\n", "\n")
	if !strings.HasSuffix(text, "\n\n") {
		t.Fatalf("the last event has no end in %q", body)
	}
	for _, e := range strings.Split(strings.TrimSuffix(text, "\n\n"), "\n\n") {
		data, ok := strings.CutPrefix(e, "data: ")
		if !ok || strings.Contains(data, "\n") {
			t.Fatalf("an event that clients drop: %q", e)
		}
		list = append(list, json.RawMessage(data))
	}
	return list
}

// geminiMessage reads the one candidate of a message.
func geminiMessage(t *testing.T, message []byte, read func(map[string]any) string) (said, finish string) {
	t.Helper()
	var a struct {
		Candidates []struct {
			FinishReason string
			Content      *struct{ Parts []map[string]any }
		}
	}
	if err := json.Unmarshal(message, &a); err != nil || len(a.Candidates) != 1 {
		t.Fatalf("%v in %s", err, message)
	}
	c := a.Candidates[0]
	if c.Content == nil {
		return "", c.FinishReason
	}
	if len(c.Content.Parts) == 0 {
		t.Errorf("a turn without parts: %s", message)
	}
	for _, p := range c.Content.Parts {
		if len(p) == 0 {
			t.Errorf("an empty part: %s", message)
		}
		said += read(p)
	}
	return said, c.FinishReason
}

// TestGeminiArrayEnds: an array that the upstream breaks off, and one that
// cannot be scanned, end as whole arrays with an error in them.
func TestGeminiArrayEnds(t *testing.T) {
	t.Parallel()
	c := apiCase{api: "gemini", path: geminiStreamPath, ask: geminiAsk, contentType: "application/json"}
	const element = `{"candidates":[{"content":{"parts":[{"text":"one two."}]},"finishReason":"STOP"}]}`
	tests := []struct {
		name, body string
		elements   int
	}{
		{"at once", ``, 1},
		{"in the first element", `[{"cand`, 1},
		{"in the second", `[` + element + `,{"cand`, 2},
		{"behind the first", `[` + element + `,`, 2},
		{"before the end is known", `[` + element + `]`, 2},
		{"no array", `{"error":{"code":500`, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := New(c.config(t, redacting))
			out, err := r.Append(nil, []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			out = r.Abort(out, FailUpstream)
			if tt.elements == 0 {
				if !json.Valid(out) || !strings.Contains(string(out), FailUpstream.Message) {
					t.Errorf("got %s", out)
				}
				return
			}
			var list []json.RawMessage
			if err := json.Unmarshal(out, &list); err != nil || len(list) != tt.elements || !strings.Contains(string(list[len(list)-1]), FailUpstream.Message) {
				t.Errorf("%v in %s", err, out)
			}
		})
	}
	for _, body := range []string{`[` + element + element + `]`, `[` + element + `,"x"]`, `[` + element + `,{"a":1,"a":2}]`, `[` + element + `] [1]`} {
		got := everySplit(t, c.config(t, redacting), body)
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(got.out), &list); err != nil || len(list) != 2 || !errors.Is(got.err, ErrRefused) || !strings.Contains(got.out, failRefused.Message) {
			t.Errorf("%s: %v %v in %s", body, err, got.err, got.out)
		}
	}
	cfg := c.config(t, redacting)
	cfg.Pass = true
	large := `[{"a":"` + strings.Repeat("x", wire.MaxMessage) + `"}`
	r := New(cfg)
	out, err := r.Append(nil, []byte(large))
	if err != nil {
		t.Fatal(err)
	}
	if out = r.Abort(out, FailUpstream); !json.Valid(out) || !strings.HasPrefix(string(out[len(large):]), `,{"error"`) {
		t.Errorf("ends in %s", out[len(large):])
	}
}

// TestGeminiUsage: messages without a text that wait in a row leave one by one, so the
// ending repeats the usage of the last of them.
func TestGeminiUsage(t *testing.T) {
	t.Parallel()
	c := apiCase{api: "gemini", path: geminiStreamPath + "?alt=sse", ask: geminiAsk, contentType: "text/event-stream"}
	text := func(s string) string {
		return `{"candidates":[{"content":{"parts":[{"text":"` + s + `"}]},"index":0}]}`
	}
	body := stream(text("so quartz violet"), `{"usageMetadata":{"totalTokenCount":1}}`, `{"usageMetadata":{"totalTokenCount":2}}`, text(" and "+apiSecret))
	want := stream(text("so quartz violet"), `{"usageMetadata":{"totalTokenCount":1}}`, `{"usageMetadata":{"totalTokenCount":2}}`, text(" and "),
		`{"candidates":[{"finishReason":"RECITATION","index":0}],"usageMetadata":{"totalTokenCount":2}}`)
	if got := everySplit(t, c.config(t, blocking), body); got.out != want || !errors.Is(got.err, ErrBlocked) {
		t.Errorf("got  %s%v\nwant %s", got.out, got.err, want)
	}
}
