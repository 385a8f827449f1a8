package proxy

import (
	"strings"
	"testing"
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

// A stored response comes back as a stream from some event on, or in one piece, as the request
// asks. Both are scanned.
func TestResponsesStored(t *testing.T) {
	t.Parallel()
	const (
		item   = `{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","annotations":[],"text":"so ` + secret + `"}]}`
		body   = `{"id":"resp_1","object":"response","status":"completed","output":[` + item + `]}`
		stream = `data: {"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"sequence_number":4,"delta":"so "}` + "\n\n" +
			`data: {"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"sequence_number":5,"delta":"` + secret + `"}` + "\n\n" +
			`data: {"type":"response.output_item.done","output_index":0,"sequence_number":6,"item":` + item + `}` + "\n\n" +
			`data: {"type":"response.completed","sequence_number":7,"response":` + body + `}` + "\n\n"
	)
	up := newScripted(t, func(c *scene) {
		if strings.Contains(c.head, "stream=true") {
			c.say(headSSE)
			c.chunk(stream)
			c.say(endChunked)
			return
		}
		c.whole(200, "application/json", body)
	})
	b := newBed(t, Options{Config: bedConfig(t, up.url()), Open: secretOpen(t)})
	for _, path := range []string{"/v1/responses/resp_1?stream=true&starting_after=3", "/v1/responses/resp_1"} {
		status, _, text, err := b.do("GET", path, "")
		if err != nil || status != 200 || strings.Count(text, "[redacted]") == 0 {
			t.Errorf("%s: %d %v %s", path, status, err, text)
		}
		for w := range strings.FieldsSeq(strings.Replace(secret, "delta", "", 1)) { // delta is also the name of an event
			if strings.Contains(text, w) {
				t.Errorf("%s: %q left in %s", path, w, text)
			}
		}
	}
}
