package fakellm

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/molecule-man/go-brrr"
)

const said = "The répair costs \"7 €\".\nTwo 😀 words\tmore, Mrs. Ōe."

func serve(tb testing.TB, cfg Config) *Server {
	tb.Helper()
	s, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	if err := s.Start("127.0.0.1:0"); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

// ask posts a request and returns the response with as much of its body as came.
func ask(tb testing.TB, s *Server, path, body string) (*http.Response, []byte, error) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), "POST", s.URL()+path, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, b, err
}

const (
	chat       = "/v1/chat/completions"
	completion = "/v1/completions"
)

func TestPiecesJoinToTheText(t *testing.T) {
	t.Parallel()
	for _, unit := range []Unit{Whole, Words, Tokens, Chars} {
		for size := range 9 {
			for seed := range uint64(3) {
				c := Chunking{Unit: unit, Size: size, Seed: seed * uint64(min(size, 1))}
				got := slices.Collect(pieces(said, c))
				if strings.Join(got, "") != said || slices.Contains(got, "") {
					t.Errorf("%+v: %q", c, got)
				}
				for _, p := range got {
					if !utf8.ValidString(p) {
						t.Errorf("%+v: piece %q is not UTF-8", c, p)
					}
				}
			}
		}
	}
}

func TestPieces(t *testing.T) {
	t.Parallel()
	f := func(c Chunking, text string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, slices.Collect(pieces(text, c))); diff != "" {
			t.Errorf("%+v: %s", c, diff)
		}
	}
	f(Chunking{}, "")
	f(Chunking{}, "a b", "a b")
	f(Chunking{Unit: Words}, " a  bc\nd ", " a", "  bc", "\nd", " ")
	f(Chunking{Unit: Words, Size: 2}, "a b c", "a b", " c")
	f(Chunking{Unit: Tokens}, "Hello hippopotamus", "Hell", "o", " hipp", "opot", "amus")
	f(Chunking{Unit: Tokens, Size: 1}, "a é", "a", " é")
	f(Chunking{Unit: Chars, Size: 2}, "aé日", "aé", "日")
	f(Chunking{Unit: UTF16}, "a😀", "a", "\xed\xa0\xbd", "\xed\xb8\x80")
}

func TestQuote(t *testing.T) {
	t.Parallel()
	f := func(e Escape, text, want string) {
		t.Helper()
		if got := string(quote(text, e)); got != want {
			t.Errorf("%q %q: got %s, want %s", e, text, got, want)
		}
	}
	f(EscapeLeast, "a\"\\\n\x01é😀", `"a\"\\\n\u0001é😀"`)
	f(EscapeASCII, "aé😀", `"a\u00e9\ud83d\ude00"`)
	f(EscapeAll, "a\"", `"\u0061\u0022"`)
	f(EscapeLeast, "\xed\xa0\xbd", `"\ud83d"`)
	f(EscapeLeast, "\xff", "\"\xff\"")
}

func TestChatStream(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{Models: map[string]Script{"m": {
		Chunking: Chunking{Unit: Words},
		Choices: []Choice{
			{Reasoning: "hm", Content: "one two"},
			{Refusal: "no", ToolCalls: []ToolCall{{Name: "f", Arguments: `{"a": 1}`}}},
		},
	}}})
	resp, got, err := ask(t, s, chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi there"}]}],"stream":true,"n":2,"logprobs":true,"top_logprobs":2,"stream_options":{"include_usage":true}}`)
	if err != nil || resp.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		t.Fatal(resp, err)
	}
	event := func(choice string) string {
		return `data: {"id":"chatcmpl-fake","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[` + choice + `],"usage":null}` + "\n\n"
	}
	want := event(`{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}`) +
		event(`{"index":1,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}`) +
		event(`{"index":0,"delta":{"reasoning_content":"hm"},"logprobs":null,"finish_reason":null}`) +
		event(`{"index":1,"delta":{"refusal":"no"},"logprobs":{"content":null,"refusal":[{"token":"no","logprob":-0.125,"bytes":[110,111],"top_logprobs":[{"token":"no","logprob":-0.125,"bytes":[110,111]},{"token":"~1","logprob":-0.125,"bytes":[126,49]}]}]},"finish_reason":null}`) +
		event(`{"index":0,"delta":{"content":"one"},"logprobs":{"content":[{"token":"one","logprob":-0.125,"bytes":[111,110,101],"top_logprobs":[{"token":"one","logprob":-0.125,"bytes":[111,110,101]},{"token":"~1","logprob":-0.125,"bytes":[126,49]}]}],"refusal":null},"finish_reason":null}`) +
		event(`{"index":1,"delta":{"tool_calls":[{"index":0,"id":"call_1_0","type":"function","function":{"name":"f","arguments":""}}]},"logprobs":null,"finish_reason":null}`) +
		event(`{"index":0,"delta":{"content":" two"},"logprobs":{"content":[{"token":" two","logprob":-0.125,"bytes":[32,116,119,111],"top_logprobs":[{"token":" two","logprob":-0.125,"bytes":[32,116,119,111]},{"token":"~1","logprob":-0.125,"bytes":[126,49]}]}],"refusal":null},"finish_reason":null}`) +
		event(`{"index":1,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]},"logprobs":null,"finish_reason":null}`) +
		event(`{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}`) +
		event(`{"index":1,"delta":{"tool_calls":[{"index":0,"function":{"arguments":" 1}"}}]},"logprobs":null,"finish_reason":null}`) +
		event(`{"index":1,"delta":{},"logprobs":null,"finish_reason":"tool_calls"}`) +
		`data: {"id":"chatcmpl-fake","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[],"usage":{"prompt_tokens":2,"completion_tokens":6,"total_tokens":8}}` + "\n\n" +
		"data: [DONE]\n\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestChatBody(t *testing.T) {
	t.Parallel()
	f := func(name string, script Script, more, want string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, Config{Default: &script})
			resp, got, err := ask(t, s, chat, `{"model":"m","messages":[{"role":"user","content":"hi"}]`+more+`}`)
			if err != nil || resp.Header.Get("Content-Type") != "application/json" || resp.ContentLength != int64(len(got)) {
				t.Fatal(resp, err)
			}
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
	head := `{"id":"chatcmpl-fake","object":"chat.completion","created":1700000000,"model":"m","choices":[`
	f("content", Say("one two"), "", head+`{"index":0,"message":{"role":"assistant","content":"one two","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`)
	f("limit", Say("one two three"), `,"max_tokens":2`, head+`{"index":0,"message":{"role":"assistant","content":"one two","refusal":null},"logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`)
	f("silence", Script{}, "", head+`{"index":0,"message":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":0,"total_tokens":1}}`)
	f("tool", Script{Choices: []Choice{{ToolCalls: []ToolCall{{Name: "f", Arguments: "{}"}}}}}, "", head+`{"index":0,"message":{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"call_0_0","type":"function","function":{"name":"f","arguments":"{}"}}]},"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`)
	f("reasoning twice", Script{ReasoningAs: "both", Choices: []Choice{{Reasoning: "r", Refusal: "n", Finish: "content_filter"}}}, "", head+`{"index":0,"message":{"role":"assistant","content":null,"refusal":"n","reasoning_content":"r","reasoning":"r"},"logprobs":null,"finish_reason":"content_filter"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`)
	f("logprobs", Say("a b"), `,"logprobs":true`, head+`{"index":0,"message":{"role":"assistant","content":"a b","refusal":null},"logprobs":{"content":[{"token":"a","logprob":-0.125,"bytes":[97]},{"token":" b","logprob":-0.125,"bytes":[32,98]}],"refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`)
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	script := Say("né b")
	s := serve(t, Config{Default: &script})
	f := func(name, request, want string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, got, err := ask(t, s, completion, request)
			if diff := cmp.Diff(want, string(got)); diff != "" || err != nil {
				t.Error(diff, err)
			}
		})
	}
	head := `{"id":"cmpl-fake","object":"text_completion","created":1700000000,"model":"m","choices":[`
	f("stream", `{"model":"m","prompt":"x","stream":true,"logprobs":1}`,
		`data: `+head+`{"text":"né","index":0,"logprobs":{"tokens":["né"],"token_logprobs":[-0.125],"top_logprobs":[{"né":-0.125}],"text_offset":[0]},"finish_reason":null}]}`+"\n\n"+
			`data: `+head+`{"text":" b","index":0,"logprobs":{"tokens":[" b"],"token_logprobs":[-0.125],"top_logprobs":[{" b":-0.125}],"text_offset":[2]},"finish_reason":null}]}`+"\n\n"+
			`data: `+head+`{"text":"","index":0,"logprobs":null,"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n")
	f("echo of two prompts", `{"model":"m","prompt":["x ","y "],"echo":true}`,
		head+`{"text":"x né b","index":0,"logprobs":null,"finish_reason":"stop"},{"text":"y né b","index":1,"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":4,"total_tokens":6}}`)
	f("tokens", `{"model":"m","prompt":[1,2,3],"logprobs":0}`,
		head+`{"text":"né b","index":0,"logprobs":{"tokens":["né"," b"],"token_logprobs":[-0.125,-0.125],"top_logprobs":[{},{}],"text_offset":[0,2]},"finish_reason":"stop"}],"usage":{"prompt_tokens":0,"completion_tokens":2,"total_tokens":2}}`)
}

// textOf joins the content of choice 0 of a stream.
func textOf(tb testing.TB, body []byte) string {
	tb.Helper()
	var out strings.Builder
	for _, event := range strings.Split(strings.TrimSuffix(string(body), "\n\n"), "\n\n") {
		data := strings.TrimPrefix(event, "data: ")
		if data == "[DONE]" {
			break
		}
		var m struct {
			Choices []struct {
				Index int
				Text  string
				Delta struct{ Content string }
			}
		}
		if err := json.Unmarshal([]byte(data), &m); err != nil {
			tb.Fatalf("%v: %q", err, data)
		}
		for _, c := range m.Choices {
			if c.Index == 0 {
				out.WriteString(c.Delta.Content + c.Text)
			}
		}
	}
	return out.String()
}

// unpack undoes a Content-Encoding.
func unpack(tb testing.TB, encoding string, body []byte) []byte {
	tb.Helper()
	var r io.Reader
	var err error
	switch in := bytes.NewReader(body); encoding {
	case "gzip":
		r, err = gzip.NewReader(in)
	case "deflate":
		r, err = zlib.NewReader(in)
	case "deflate-raw":
		r = flate.NewReader(in)
	case "br":
		r = brrr.NewReader(in)
	case "zstd":
		r, err = zstd.NewReader(in)
	default:
		r = in
	}
	if err != nil {
		tb.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func TestTransportsCarryTheSameBody(t *testing.T) {
	t.Parallel()
	plain := Say(said)
	for _, request := range []string{`{"model":"m","prompt":"x","stream":true}`, `{"model":"m","prompt":"x"}`} {
		_, want, err := ask(t, serve(t, Config{Default: &plain}), completion, request)
		if err != nil {
			t.Fatal(err)
		}
		for _, encoding := range []string{"", "gzip", "deflate", "deflate-raw", "br", "zstd"} {
			for _, slice := range []int{0, 1, 7} {
				for _, segment := range []int{0, 1} {
					t.Run(fmt.Sprintf("%s/slice %d/segment %d/%d", encoding, slice, segment, len(request)), func(t *testing.T) {
						t.Parallel()
						script := plain
						script.Encoding, script.Slice = encoding, slice
						resp, got, err := ask(t, serve(t, Config{Default: &script, Segment: segment}), completion, request)
						if err != nil || resp.Header.Get("Content-Encoding") != strings.TrimSuffix(encoding, "-raw") {
							t.Fatal(resp, err)
						}
						if diff := cmp.Diff(string(want), string(unpack(t, encoding, got))); diff != "" {
							t.Error(diff)
						}
					})
				}
			}
		}
	}
}

func TestEveryChunkingSaysTheSame(t *testing.T) {
	t.Parallel()
	for _, unit := range []Unit{Whole, Words, Tokens, Chars} {
		for _, escape := range []Escape{EscapeLeast, EscapeASCII, EscapeAll} {
			script := Script{Choices: []Choice{{Content: said}}, Escape: escape, Chunking: Chunking{Unit: unit, Size: 3, Seed: 9}}
			_, got, err := ask(t, serve(t, Config{Default: &script}), chat, `{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true}`)
			if err != nil || textOf(t, got) != said {
				t.Errorf("%s, %s: %q, %v", unit, escape, textOf(t, got), err)
			}
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	streamed := `{"model":"m","prompt":"x","stream":true}`
	f := func(kind FaultKind, request string, check func(*http.Response, string, error) bool) {
		t.Run(fmt.Sprintf("%s/%d", kind, len(request)), func(t *testing.T) {
			t.Parallel()
			script := Say("one two three four")
			script.Fault = Fault{Kind: kind, After: 2, Status: 503}
			ended := make(chan Exchange, 1)
			s := serve(t, Config{Default: &script, OnEnd: func(e Exchange) { ended <- e }})
			resp, body, err := ask(t, s, completion, request)
			if !check(resp, string(body), err) {
				t.Errorf("%v %v: %q", resp, err, body)
			}
			if e := <-ended; e.Complete != (kind == FaultGarbage && request == streamed) || string(e.Body) != request {
				t.Errorf("exchange %+v", e)
			}
		})
	}
	begun := func(body string) bool {
		return strings.Contains(body, `"one"`) && strings.Contains(body, `" two"`) && !strings.Contains(body, `" three"`)
	}
	f(FaultCut, streamed, func(_ *http.Response, body string, err error) bool {
		return errors.Is(err, io.ErrUnexpectedEOF) && begun(body)
	})
	f(FaultShort, streamed, func(_ *http.Response, body string, err error) bool { return err == nil && begun(body) })
	f(FaultError, streamed, func(_ *http.Response, body string, err error) bool {
		return err == nil && begun(body) && strings.HasSuffix(body, `data: {"error":{"message":"the model is out of order","type":"server_error","param":null,"code":null}}`+"\n\n")
	})
	f(FaultGarbage, streamed, func(_ *http.Response, body string, err error) bool {
		return err == nil && strings.Contains(body, `"content":"half a`+"\n\n") && strings.HasSuffix(body, "[DONE]\n\n")
	})
	f(FaultStatus, streamed, func(resp *http.Response, body string, err error) bool {
		return err == nil && resp.StatusCode == 503 && strings.HasPrefix(body, `{"error":`)
	})
	whole := `{"model":"m","prompt":"x"}`
	f(FaultCut, whole, func(_ *http.Response, _ string, err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) })
	f(FaultShort, whole, func(_ *http.Response, body string, err error) bool {
		return err == nil && !json.Valid([]byte(body)) && strings.HasPrefix(body, `{"id"`)
	})
	f(FaultGarbage, whole, func(_ *http.Response, body string, err error) bool { return err == nil && !json.Valid([]byte(body)) })
	f(FaultError, whole, func(_ *http.Response, body string, err error) bool {
		return err == nil && strings.HasPrefix(body, `{"error":`)
	})
}

func TestSilenceEndsWithTheClient(t *testing.T) {
	t.Parallel()
	for _, request := range []string{`{"model":"m","prompt":"x","stream":true}`, `{"model":"m","prompt":"x"}`} {
		ended := make(chan Exchange, 1)
		script := Say("one two three")
		script.Fault = Fault{Kind: FaultSilent, After: 1}
		s := serve(t, Config{Default: &script, OnEnd: func(e Exchange) { ended <- e }})
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, "POST", s.URL()+completion, strings.NewReader(request))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := resp.Body.Read(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		cancel()
		if e := <-ended; e.Complete {
			t.Error("a silent answer is complete")
		}
		resp.Body.Close()
	}
}

func TestGiantAnswer(t *testing.T) {
	t.Parallel()
	const size = 1<<20 + 5
	script := Script{Choices: []Choice{{Content: "so \"big\" "}}, Giant: size}
	s := serve(t, Config{Default: &script})
	want := "so \"big\" " + strings.Repeat("a", size)
	_, body, err := ask(t, s, chat, `{"model":"m","messages":[{"role":"user","content":"x"}]}`)
	var m struct {
		Choices []struct{ Message struct{ Content string } }
	}
	if err != nil || json.Unmarshal(body, &m) != nil || m.Choices[0].Message.Content != want {
		t.Errorf("whole: %d bytes, %v", len(body), err)
	}
	for path, request := range map[string]string{
		chat:       `{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true}`,
		completion: `{"model":"m","prompt":"x","stream":true}`,
	} {
		_, body, err = ask(t, s, path, request)
		if err != nil || textOf(t, body) != want {
			t.Errorf("%s: %d bytes, %v", path, len(body), err)
		}
	}
}

func TestChoiceOfScript(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{
		Models:  map[string]Script{"b": Say("from b"), "a": Say("from a")},
		Prompts: []Prompt{{Contains: "weather", Script: Say("rain")}},
	})
	f := func(path, request string, status int, want string) {
		t.Helper()
		resp, body, err := ask(t, s, path, request)
		if err != nil || resp.StatusCode != status || !strings.Contains(string(body), want) {
			t.Errorf("%s: %v %v %s", request, resp.StatusCode, err, body)
		}
	}
	f(completion, `{"model":"a","prompt":"x"}`, 200, "from a")
	f(completion, `{"model":"b","prompt":"x"}`, 200, "from b")
	f(completion, `{"model":"a","prompt":"the weather?"}`, 200, "rain")
	f(chat, `{"model":"c","messages":[{"role":"user","content":"weather"},{"role":"user","content":"x"}]}`, 404, "does not exist")
	f(completion, `{"model":"a"}`, 400, "prompt is missing")
	f(completion, `{"model":"a","prompt":{}}`, 400, "neither text nor tokens")
	f(completion, `{"model":"a","prompt":"x","n":0}`, 400, "n is 0")
	f(chat, `{"model":"a","messages":[]}`, 400, "messages is empty")
	f(chat, `{`, 400, "read request")
	f("/v1/nothing", `{}`, 404, "no such path")

	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, httptest.NewRequest("GET", "/v1/models", nil))
	if got := rec.Body.String(); got != `{"object":"list","data":[{"id":"a","object":"model","created":1700000000,"owned_by":"fakellm"},{"id":"b","object":"model","created":1700000000,"owned_by":"fakellm"}]}` {
		t.Error(got)
	}
	rec = httptest.NewRecorder()
	s.ServeHTTP(rec, httptest.NewRequest("GET", "/health", nil))
	if rec.Code != 200 {
		t.Errorf("health answers %d", rec.Code)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []Script{
		{Chunking: Chunking{Unit: "syllables"}},
		{Escape: "html"},
		{Encoding: "lzma"},
		{Fault: Fault{Kind: "fire"}},
		{ReasoningAs: "thought"},
		{Pace: -1},
	} {
		if _, err := New(Config{Default: &s}); err == nil {
			t.Errorf("%+v was taken", s)
		}
		if _, err := New(Config{Models: map[string]Script{"m": s}}); err == nil {
			t.Errorf("model with %+v was taken", s)
		}
	}
}

// FuzzRequest feeds the request readers: the server answers any bytes.
func FuzzRequest(f *testing.F) {
	f.Add(true, `{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true,"n":3,"logprobs":true}`)
	f.Add(false, `{"model":"m","prompt":["a","b"],"echo":true,"n":2,"logprobs":3,"max_tokens":1}`)
	f.Add(false, `{"prompt":[[1],[2]]}`)
	script := Say("one two")
	s, err := New(Config{Default: &script})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, toChat bool, body string) {
		path := completion
		if toChat {
			path = chat
		}
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, httptest.NewRequest("POST", path, strings.NewReader(body)))
		if rec.Code != 200 && rec.Code != 400 {
			t.Errorf("status %d: %s", rec.Code, rec.Body)
		}
	})
}

// BenchmarkStream measures how fast the server sends to one client, the upper limit for
// every benchmark of a proxy before it.
func BenchmarkStream(b *testing.B) {
	script := Say(strings.Repeat("word ", 1000))
	s := serve(b, Config{Default: &script})
	b.ReportAllocs()
	for b.Loop() {
		_, body, err := ask(b, s, completion, `{"model":"m","prompt":"x","stream":true}`)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(body)))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1002, "ns/message")
}

// TestFreeAddress: a listener that asks for any port never gets one like it.
func TestFreeAddress(t *testing.T) {
	t.Parallel()
	address, err := FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{})
	if err == nil {
		err = s.Start(address)
	}
	if err != nil {
		t.Fatal(err)
	}
	if port := s.addr.(*net.TCPAddr).Port; port >= 32768 || s.Addr() != address {
		t.Errorf("%s, want %s", s.Addr(), address)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
