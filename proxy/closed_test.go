package proxy

import (
	"bufio"
	"io"
	"strings"
	"testing"
)

// TestClosedRoutes: no path leads to text that a server has stored, to the token ids of a text
// or to the controls of the server, unless an operator opens it.
func TestClosedRoutes(t *testing.T) {
	t.Parallel()
	def, err := table(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"/slots", "/slots/0", "/props", "/v1/stream", "/v1/stream/conv-1", "/v1/streams", "/v1/streams/lookup", // llama.cpp
		"/detokenize", "/apply-template", "/cors-proxy", "/tools", "/v1/systemone", "/v1/chat/completions/control", "/lora-adapters",
		"/inference/v1/generate", "/v1/chat/completions/render", "/v1/completions/render", "/generative_scoring", "/pooling", // vLLM
		"/generate_from_file", "/vertex_generate", "/v1/detokenize", "/parse_function_call", "/separate_reasoning", // SGLang
		"/flush_cache", "/update_weights_from_disk", "/open_session", "/start_profile",
		"/vertex", "/chat_tokenize", "/v2/models/m/versions/1/infer", // TGI
		"/api/show", "/api/create", "/api/pull", "/api/push", "/api/delete", "/api/experimental/web_search", // Ollama
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE"} {
			if r := def.find(method, path); r != nil {
				t.Errorf("%s %s is open: %s", method, path, r.api)
			}
		}
	}
	for _, open := range []string{"/generate", "/generate_stream", "/", "/completion", "/completions", "/infill", "/api/chat", "/api/generate"} {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			if r := def.find(method, open); r != nil && open+method != "/GET" { // a server's own page
				t.Errorf("%s %s is open: %s", method, open, r.api)
			}
		}
		if r := def.find("POST", open); r == nil || r.family == nil {
			t.Errorf("POST %s is not scanned", open)
		}
	}
}

// TestConversationHeader: the header that makes llama.cpp store an answer, so that any caller
// can ask for it later, does not reach llama.cpp.
func TestConversationHeader(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) {
		c.whole(200, "application/json", `{"index":0,"content":"ok","stop":true,"stop_type":"eos"}`)
	})
	b := newBed(t, Options{Config: bedConfig(t, up.url())})
	status, _, _, err := b.do("POST", "/completion", `{"prompt":"hi"}`, "X-Conversation-Id", "conv-1", "x-conversation-id", "conv-2")
	if err != nil || status != 200 {
		t.Fatalf("%d, %v", status, err)
	}
	if got := wait(t, up.requests, "request"); strings.Contains(strings.ToLower(got), "conversation") {
		t.Errorf("upstream got %q", got)
	}
}

// TestLinesWithoutContentType: the demo server of vLLM streams lines without a content type
// that says so. Each line reaches the caller before the next but one is made.
func TestLinesWithoutContentType(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	up := newScripted(t, func(c *scene) {
		c.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for _, s := range []string{`{"text": ["so it is. "]}`, `{"text": ["so it is. And then. "]}`, `{"text": ["so it is. And then. It goes on."]}`} {
			<-next
			c.chunk(s + "\n")
		}
		<-next
		c.say(endChunked)
	})
	b := newBed(t, Options{Config: bedConfig(t, up.url())})
	resp, err := b.client.Post("http://"+b.data+"/generate", "application/json", strings.NewReader(`{"prompt":"so it is.","stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	in := bufio.NewReader(resp.Body)
	next <- struct{}{} // the newest word waits for the next one
	for _, want := range []string{"{\"text\": [\"so it is. \"]}\n", "{\"text\": [\"so it is. And then. \"]}\n"} {
		next <- struct{}{}
		if got, err := in.ReadString('\n'); err != nil || got != want {
			t.Fatalf("%q, %v", got, err)
		}
	}
	next <- struct{}{}
	if rest, err := io.ReadAll(in); err != nil || string(rest) != "{\"text\": [\"so it is. And then. It goes on.\"]}\n" {
		t.Errorf("%q, %v", rest, err)
	}
}
