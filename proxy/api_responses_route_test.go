package proxy

import (
	"strings"
	"testing"

	"noecho/proxy/config"
)

func TestResponsesRoutes(t *testing.T) {
	t.Parallel()
	routes, err := table(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ method, path, pattern string }{
		{"POST", "/v1/responses", "/v1/responses"},
		{"POST", "/responses", "/responses"},
		{"POST", "/openai/v1/responses", "/openai/v1/responses"},
		{"POST", "/openai/responses", "/openai/responses"},
		{"POST", "/v1/responses/compact", "/v1/responses/compact"},
		{"POST", "/v1/responses/resp_1/cancel", "/v1/responses/{id}/cancel"},
		{"GET", "/v1/responses/resp_1", "/v1/responses/{id}"},
		{"GET", "/v1/responses/resp_1/input_items", "/v1/responses/{id}/input_items"},
		{"GET", "/v1/conversations/conv_1/items", "/v1/conversations/{id}/items"},
		{"POST", "/v1/conversations/conv_1/items", "/v1/conversations/{id}/items"},
		{"GET", "/v1/conversations/conv_1/items/msg_1", "/v1/conversations/{id}/items/{item}"},
		{"GET", "/v1/responses", ""},
		{"POST", "/v1/responses/resp_1", ""},
		{"GET", "/v1/responses/resp_1/cancel", ""},
	} {
		r := routes.find(tt.method, tt.path)
		switch {
		case r == nil && tt.pattern != "":
			t.Errorf("%s %s is not open", tt.method, tt.path)
		case r != nil && (r.pattern != tt.pattern || r.api != "openai.responses"):
			t.Errorf("%s %s is %s, %s", tt.method, tt.path, r.pattern, r.api)
		}
	}
	if r := routes.find("POST", "/v1/responses/input_tokens"); r == nil || r.api != passAPI {
		t.Errorf("input_tokens is %+v", r)
	}
}

// A stored response comes back as it is asked for: as a stream from some event
// on, or in one piece. Both are scanned.
func TestResponsesStored(t *testing.T) {
	t.Parallel()
	pieces := apiPieces(apiBefore + " " + apiSecret + apiAfter)
	say := func(s *responsesScript, n int) string {
		return responsesMessage("output_text", "text", "")(s, n, pieces)
	}
	stream, body := string(responsesStreamed(say)), responsesObject("completed", "null", say(&responsesScript{}, 0))
	up := newScripted(t, func(c *scene) {
		if strings.Contains(c.head, "stream=true") {
			c.say(headSSE)
			c.chunk(stream)
			c.say(endChunked)
			return
		}
		c.whole(200, "application/json", body)
	})
	spec := testConfig(t).Spec
	b := newBed(t, Options{
		Config: bedConfig(t, up.url()),
		Open: func([]config.Index) (Indexes, error) {
			return Indexes{Set: newMemory(spec, apiSecret), Spec: spec, Files: []IndexInfo{{Path: "test.nidx", BuildID: "0123456789abcdef"}}}, nil
		},
	})
	for _, path := range []string{"/v1/responses/resp_1?stream=true&starting_after=3", "/v1/responses/resp_1"} {
		status, _, text, err := b.do("GET", path, "")
		if err != nil || status != 200 || strings.Count(text, "[redacted]") == 0 {
			t.Errorf("%s: %d %v %s", path, status, err, text)
		}
		hidden(t, text)
	}
}
