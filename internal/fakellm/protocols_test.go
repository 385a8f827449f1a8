package fakellm

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// TestProtocols compares the answers of the server in every API, streamed and in one
// piece, with testdata/protocols.txt.
func TestProtocols(t *testing.T) {
	t.Parallel()
	s, err := New(Config{Default: &Script{
		Choices:  []Choice{{Reasoning: "well", Content: "one two", ToolCalls: []ToolCall{{Name: "send", Arguments: `{"n":1}`}}}},
		Chunking: Chunking{Unit: Words},
	}})
	if err != nil {
		t.Fatal(err)
	}
	ask := `"messages":[{"role":"user","content":"hi there"}]`
	contents := `{"contents":[{"parts":[{"text":"hi there"}]}]}`
	var got bytes.Buffer
	for _, r := range []struct{ path, body string }{
		{"/v1/responses", `{"model":"m","input":"hi there"}`},
		{"/v1/responses", `{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"hi there"}]}],"stream":true}`},
		{"/v1/messages", `{"model":"m",` + ask + `}`},
		{"/v1/messages", `{"model":"m","stream":true,` + ask + `}`},
		{"/api/chat", `{"model":"m","stream":false,` + ask + `}`},
		{"/api/chat", `{"model":"m",` + ask + `}`},
		{"/api/generate", `{"model":"m","stream":false,"prompt":"hi there"}`},
		{"/api/generate", `{"model":"m","prompt":"hi there"}`},
		{"/v1beta/models/m:generateContent", contents},
		{"/v1beta/models/m:streamGenerateContent", contents},
		{"/v1beta/models/m:streamGenerateContent?alt=sse", contents},
		{"/v2/chat", `{"model":"m",` + ask + `}`},
		{"/v2/chat", `{"model":"m","stream":true,` + ask + `}`},
		{"/model/m/converse", `{"messages":[{"role":"user","content":[{"text":"hi there"}]}]}`},
		{"/model/m/converse-stream", `{"messages":[{"role":"user","content":[{"text":"hi there"}]}]}`},
	} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, r.path, strings.NewReader(r.body)))
		answer := w.Body.String()
		if strings.HasSuffix(r.path, "-stream") {
			answer = fmt.Sprintf("%q\n", answer)
		}
		fmt.Fprintf(&got, "== POST %s %s\n%d %s\n%s\n", r.path, r.body, w.Code, w.Header().Get("Content-Type"), strings.TrimRight(answer, "\n"))
	}
	want, err := os.ReadFile("testdata/protocols.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got\n%s", &got)
	}
}

// TestProtocolErrors: a path without a known operation, and bodies that are no request.
func TestProtocolErrors(t *testing.T) {
	t.Parallel()
	s, err := New(Config{Default: &Script{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct{ path, body string }{
		{"/v1beta/models/m:countTokens", `{}`},
		{"/v1beta/models/m:generateContent", `[`},
		{"/model/m/count-tokens", `{}`},
		{"/model/m/converse", `{}`},
		{"/v1/responses", `[`},
		{"/v1/responses", `{"input":[]}`},
		{"/v1/responses", `{"input":7}`},
		{"/api/generate", `[`},
	} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, r.path, strings.NewReader(r.body)))
		body, _ := io.ReadAll(w.Body)
		if w.Code != http.StatusBadRequest || !bytes.Contains(body, []byte(`"error"`)) {
			t.Errorf("%s %s: %d %s", r.path, r.body, w.Code, body)
		}
	}
}
