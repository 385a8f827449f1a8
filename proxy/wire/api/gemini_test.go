package api

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"noecho/proxy/wire"
)

func TestGeminiLocate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		framing wire.Framing
		payload string
		want    string
	}{
		{
			"a piece",
			wire.SSE,
			`{"candidates":[{"content":{"parts":[{"text":"Hi \u0041"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":4,"promptTokensDetails":[{"modality":"TEXT","tokenCount":4}]},"modelVersion":"gemini-2.5-flash","responseId":"x-1"}`,
			"begin 0 \ntext 0 text Hi A\n",
		},
		{
			"no index",
			wire.Array,
			`{"candidates":[{"content":{"parts":[{"text":"a"},{"text":"b"}]},"finishReason":"STOP"}]}`,
			"begin 0 \ntext 0 text a\ntext 0 text b\nend 0 \"STOP\"\n",
		},
		{
			"candidates",
			wire.SSE,
			`{"candidates":[{"content":{"parts":[{"text":"b"}]},"index":1},{"content":{"parts":[{"text":"a"}]},"index":0}]}`,
			"begin 1 \ntext 1 text b\nbegin 0 \ntext 0 text a\n",
		},
		{
			"thoughts",
			wire.SSE,
			`{"candidates":[{"content":{"parts":[{"thought":true,"text":"hm"},{"text":"so","thought":true,"thoughtSignature":"AAAA BBBB"},{"text":"a","thought":false},{"text":"b"}]}}]}`,
			"begin 0 \ntext 0 thought hm\ntext 0 thought so\nmetadata 0 content.parts.thoughtSignature AAAA BBBB\ntext 0 text a\ntext 0 text b\n",
		},
		{
			"function call",
			wire.SSE,
			`{"candidates":[{"content":{"parts":[{"functionCall":{"id":"c1","name":"send","args":{"to":["Sarah",1]}}}]}}]}`,
			"begin 0 \nmetadata 0 ids c1\nmetadata 0 functionCall.name send\ntext 0 functionCall.args {\"to\":[\"Sarah\",1]}\n",
		},
		{
			"arguments in pieces",
			wire.SSE,
			`{"candidates":[{"content":{"parts":[{"functionCall":{"partialArgs":[{"jsonPath":"$.a","stringValue":"x"},{"stringValue":"y","jsonPath":"$.b"},{"jsonPath":"$.a","stringValue":"z","willContinue":true}],"willContinue":true}}]}}]}`,
			"begin 0 \n" +
				"metadata 0.0 content.parts.functionCall.partialArgs.#.jsonPath $.a\ntext 0.0 functionCall.partialArgs.# x\n" +
				"text 0.1 functionCall.partialArgs.# y\nmetadata 0.1 content.parts.functionCall.partialArgs.#.jsonPath $.b\n" +
				"metadata 0.0 content.parts.functionCall.partialArgs.#.jsonPath $.a\ntext 0.0 functionCall.partialArgs.# z\n",
		},
		{
			"other parts",
			wire.JSON,
			`{"candidates":[{"content":{"parts":[{"executableCode":{"language":"PYTHON","code":"print(1)"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1"}},{"toolCall":{"toolType":"URL_CONTEXT","args":{"q":"r"}}},{"toolResponse":{"response":{"s":"t"}}},{"functionResponse":{"name":"f","response":{"u":"v"}}},{"audioTranscription":{"text":"w"}},{"inlineData":{"mimeType":"audio/wav","data":"AAAA"}},{"fileData":{"fileUri":"gs://b/c"}},{"new":{"x":"y"}}]}}]}`,
			`begin 0 
text 0 executableCode print(1)
text 0 codeExecutionResult 1
text 0 toolCall.args {"q":"r"}
text 0 toolResponse.response {"s":"t"}
text 0 functionResponse.response {"u":"v"}
text 0 audioTranscription w
drop 0 -> "" "AAAA"
metadata 0.5 keys.# new
metadata 0.6 keys.# x
metadata 0 content.parts.new.x y
`,
		},
		{
			"logprobs",
			wire.JSON,
			`{"candidates":[{"logprobsResult":{"chosenCandidates":[{"token":"a","tokenId":1},{"token":" b"}],"topCandidates":[{"candidates":[{"token":"a"},{"token":"x"}]}]},"avgLogprobs":-0.1}]}`,
			"begin 0 \ndrop 0 -> null {\"chosenCandidates\":[{\"token\":\"a\",\"tokenId\":1},{\"token\":\" b\"}],\"topCandidates\":[{\"candidates\":[{\"token\":\"a\"},{\"token\":\"x\"}]}]}\n" +
				"token 0 logprobs.chosen a\ntoken 0 logprobs.chosen  b\ntoken 0.0 logprobs.top.# a\ntoken 0.1 logprobs.top.# x\n",
		},
		{
			"sources",
			wire.SSE,
			`{"candidates":[{"citationMetadata":{"citations":[{"startIndex":1,"uri":"u/v","title":"a book"}]},"groundingMetadata":{"webSearchQueries":["who was"],"groundingChunks":[{"web":{"uri":"u","title":"a page"}},{"retrievedContext":{"text":"some context"}}],"groundingSupports":[{"segment":{"endIndex":2,"text":"a b"}},{"segment":{"text":"c"}}],"searchEntryPoint":{"renderedContent":"<b>x</b>"}},"finishMessage":"what happened"}]}`,
			"begin 0 \ndrop 0 -> null {\"citations\":[{\"startIndex\":1,\"uri\":\"u/v\",\"title\":\"a book\"}]}\nmetadata 0 citationMetadata.citations.title a book\n" +
				"drop 0 -> null {\"webSearchQueries\":[\"who was\"],\"groundingChunks\":[{\"web\":{\"uri\":\"u\",\"title\":\"a page\"}},{\"retrievedContext\":{\"text\":\"some context\"}}],\"groundingSupports\":[{\"segment\":{\"endIndex\":2,\"text\":\"a b\"}},{\"segment\":{\"text\":\"c\"}}],\"searchEntryPoint\":{\"renderedContent\":\"<b>x</b>\"}}\n" +
				"metadata 0 groundingMetadata.webSearchQueries [\"who was\"]\nmetadata 0 groundingMetadata.groundingChunks.web.title a page\nmetadata 0 groundingMetadata.groundingChunks.retrievedContext.text some context\n" +
				"token 0 groundingMetadata.segments a b\ntoken 0 groundingMetadata.segments c\nmetadata 0 groundingMetadata.searchEntryPoint.renderedContent <b>x</b>\nmetadata 0 finishMessage what happened\n",
		},
		{"prompt refused", wire.SSE, `{"promptFeedback":{"blockReason":"SAFETY","blockReasonMessage":"not this"}}`, "metadata -1 promptFeedback.blockReasonMessage not this\n"},
		{"error", wire.Array, `{"error":{"code":400,"message":"not so","status":"INVALID_ARGUMENT"}}`, "metadata -1 error.message not so\nmetadata -1 error.status INVALID_ARGUMENT\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := wire.NewLocator(gemini, tt.framing)
			for range 2 {
				fields, err := l.Locate([]byte(tt.payload))
				if err != nil {
					t.Fatal(err)
				}
				if got := once(show(tt.payload, fields)); got != tt.want {
					t.Fatalf("got\n%swant\n%s", got, tt.want)
				}
			}
		})
	}
}

func TestGeminiManyKeys(t *testing.T) {
	t.Parallel()
	l := wire.NewLocator(gemini, wire.SSE)
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		_, err = l.Locate([]byte(`{"candidates":[{"content":{"parts":[{"functionCall":{"partialArgs":[{"jsonPath":"$.` + strings.Repeat("a", i) + `"}]}}]}}]}`))
	}
	if !errors.Is(err, wire.ErrUnscannable) {
		t.Errorf("error = %v", err)
	}
}

func TestGeminiRequest(t *testing.T) {
	t.Parallel()
	const path = "/v1beta/models/gemini-2.5-pro:generateContent"
	tests := []struct {
		name, path, body string
		want             wire.Request
	}{
		{"plain", path, `{"contents":[{"role":"user","parts":[{"text":"one"},{"text":" two"}]}]}`, wire.Request{
			Model: "gemini-2.5-pro", N: 1, Messages: texts("one\n two"), Tail: []byte("one two"),
		}},
		{"stream", "/v1/projects/p/locations/l/publishers/google/models/g:streamGenerateContent", `{"contents":{"parts":{"text":"one"}}}`, wire.Request{
			Model: "g", Stream: true, N: 1, Messages: texts("one"), Tail: []byte("one"),
		}},
		{"a colon in the name", "/v1/models/a:b:streamGenerateContent", `{}`, wire.Request{Model: "a:b", Stream: true, N: 1}},
		{"the path names the model", path, `{"model":"models/other","contents":[]}`, wire.Request{Model: "gemini-2.5-pro", N: 1}},
		{"turns, and what stands before them", path, `{"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"b"}]}],"systemInstruction":{"parts":[{"text":"s"}]},"tools":[{"functionDeclarations":[{"name":"f","description":"does it"}]}]}`, wire.Request{
			Model: "gemini-2.5-pro", N: 1, Messages: texts("a", "b", "s", "f\ndoes it"), Tail: []byte("b"),
		}},
		{"calls and results", path, `{"contents":[{"parts":[{"functionCall":{"id":"1","name":"f","args":{"a":"b"}}},{"thoughtSignature":"AAAA"}]},{"parts":[{"functionResponse":{"name":"f","response":{"c":["d"]}}}]}]}`, wire.Request{
			Model: "gemini-2.5-pro", N: 1, Messages: texts("f\n{\"a\":\"b\"}", "f\n{\"c\":[\"d\"]}"),
		}},
		{"files", path, `{"contents":[{"parts":[{"inlineData":{"mimeType":"text/plain","data":"b25lIHR3bw=="}},{"inline_data":{"mime_type":"image/png","data":"b25l"}},{"inlineData":{"mimeType":"text/plain","data":"?"}},{"fileData":{"fileUri":"gs://x"}},{"executableCode":{"code":"print(1)"}}]}]}`, wire.Request{
			Model: "gemini-2.5-pro", N: 1, Messages: texts("one two\nprint(1)"),
		}},
		{"schema", path, `{"generationConfig":{"candidateCount":3,"responseMimeType":"application/json","responseSchema":{"type":"OBJECT","description":"a d"},"stopSequences":["st op"]}}`, wire.Request{
			Model: "gemini-2.5-pro", N: 3, Schema: true, Stops: true, Messages: texts("a d", "st op"),
		}},
		{"with underscores", path, `{"system_instruction":{"parts":[{"text":"s"}]},"generation_config":{"candidate_count":2,"response_mime_type":"application/json"}}`, wire.Request{
			Model: "gemini-2.5-pro", N: 2, Schema: true, Messages: texts("s"),
		}},
		{"plain text asked for", path, `{"generationConfig":{"responseMimeType":"text/plain","temperature":0.5}}`, wire.Request{Model: "gemini-2.5-pro", N: 1}},
		{"texts for contents", path, `{"contents":["one","two"]}`, wire.Request{Model: "gemini-2.5-pro", N: 1, Messages: texts("one", "two"), Tail: []byte("two")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := gemini.Request(tt.path, []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
	for _, body := range []string{``, `[]`, `{"contents":[`, `{"contents":[],"contents":[]}`, `{} {}`} {
		if _, err := gemini.Request(path, []byte(body)); !errors.Is(err, wire.ErrRequest) {
			t.Errorf("%s: error = %v", body, err)
		}
	}
}

func TestGeminiFraming(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		contentType string
		stream      bool
		want        wire.Framing
	}{
		{"text/event-stream", true, wire.SSE},
		{"application/json", true, wire.Array},
		{"", true, wire.Array},
		{"application/json", false, wire.JSON},
		{"text/event-stream", false, wire.SSE},
	} {
		if got := gemini.Framing(tt.contentType, wire.Request{Stream: tt.stream}); got != tt.want {
			t.Errorf("%q, stream %v: %d, want %d", tt.contentType, tt.stream, got, tt.want)
		}
	}
}

func TestGeminiEndings(t *testing.T) {
	t.Parallel()
	w := wire.Writer{Framer: wire.NewFramer(wire.Array, gemini)}
	gemini.StreamFailure(&w, wire.Failure{Message: `a "b"`, Code: "content_filter"})
	gemini.StreamFailure(&w, wire.Failure{Message: "c", Code: "overloaded", Status: 429})
	w.Close()
	want := `[{"error":{"code":400,"message":"a \"b\"","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"CONTENT_FILTER","domain":"noecho"}]}}` +
		`,{"error":{"code":429,"message":"c","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"OVERLOADED","domain":"noecho"}]}}]`
	if string(w.Out) != want {
		t.Errorf("got  %s\nwant %s", w.Out, want)
	}
	statuses := map[int]string{401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 408: "DEADLINE_EXCEEDED", 413: "INVALID_ARGUMENT", 500: "INTERNAL", 502: "UNAVAILABLE", 503: "UNAVAILABLE"}
	for status, want := range statuses {
		if got := gemini.Failure(nil, wire.Failure{Status: status}); !bytes.Contains(got, []byte(`"status":"`+want+`"`)) {
			t.Errorf("%d: %s", status, got)
		}
	}

	e := gemini.Ending()
	e.Sent([]byte(`{"candidates":[],"usageMetadata":{"totalTokenCount":3},"modelVersion":"m"}`))
	e.Sent([]byte(`{"candidates":[]}`))
	e.Sent([]byte(`no JSON`))
	w = wire.Writer{Framer: wire.NewFramer(wire.SSE, gemini)}
	e.Write(&w, []int32{0, 2})
	want = `data: {"candidates":[{"finishReason":"RECITATION","index":0},{"finishReason":"RECITATION","index":2}],"usageMetadata":{"totalTokenCount":3},"modelVersion":"m"}` + "\n\n"
	if string(w.Out) != want {
		t.Errorf("got  %s\nwant %s", w.Out, want)
	}
	w.Out = nil
	if e.Write(&w, nil); len(w.Out) > 0 {
		t.Errorf("nothing is open: %s", w.Out)
	}
}

// FuzzGeminiRequest: any body is an error or a request whose texts are parts of the
// body.
func FuzzGeminiRequest(f *testing.F) {
	f.Add("/v1beta/models/g:streamGenerateContent", []byte(`{"contents":[{"parts":[{"text":"a"},{"inlineData":{"mimeType":"text/plain","data":"YQ"}},{"functionCall":{"args":{"a":[1]}}}]}],"generationConfig":{"candidateCount":2}}`))
	f.Add("", []byte(`{"contents":"a"}`))
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		before := slices.Clone(body)
		r, err := gemini.Request(path, body)
		if err != nil {
			if !errors.Is(err, wire.ErrRequest) {
				t.Fatal(err)
			}
			return
		}
		if r.N < 1 {
			t.Fatalf("N = %d", r.N)
		}
		for _, m := range r.Messages {
			for i := range m {
				m[i] = 'x'
			}
		}
		if !bytes.Equal(body, before) {
			t.Fatal("a text is no copy")
		}
	})
}

func texts(all ...string) [][]byte {
	var out [][]byte
	for _, s := range all {
		out = append(out, []byte(s))
	}
	return out
}

// TestGeminiAllocs: once the names of a stream's members are known, reading it
// allocates nothing.
func TestGeminiAllocs(t *testing.T) {
	l := wire.NewLocator(gemini, wire.Array)
	f := wire.NewFramer(wire.Array, gemini)
	raw := []byte(`,{"candidates":[{"content":{"parts":[{"text":"a","thought":true},{"functionCall":{"partialArgs":[{"jsonPath":"$.a","stringValue":"b"}]}}]},"logprobsResult":{"chosenCandidates":[{"token":"a"}]}}]}`)
	if _, ends := f.Scan([]byte("[{}")); !ends {
		t.Fatal("an element does not end")
	}
	if n := testing.AllocsPerRun(100, func() {
		if n, ends := f.Scan(raw); n != len(raw) || !ends {
			t.Fatalf("read %d bytes, ends %t", n, ends)
		}
		if _, err := l.Locate(f.Parse(raw).Payload); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a message", n)
	}
}
