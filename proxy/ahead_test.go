package proxy

import (
	"strings"
	"testing"

	"noecho/detect"
)

// TestTokenIDsAhead: a request that makes the server send token ids before their text, or
// without it, does not reach the server, unless nothing is withheld anyway.
func TestTokenIDsAhead(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "application/json", "{}") })
	type request struct{ path, body string }
	ahead := []request{
		{chatPath, `{"messages":[],"stream":true,"return_token_ids":true}`},
		{chatPath, `{"return_tokens_as_token_ids":true,"logprobs":true,"messages":[],"stream":true}`},
		{chatPath, `{"messages":[],"stream":1,"return_token_ids":"true"}`}, // lax servers read both as true
		{"/v1/completions", `{"prompt":"a","stream":true,"return_token_ids":true,"stop":["x"]}`},
		{"/completion", `{"prompt":"a","return_tokens":true,"response_fields":["tokens"]}`},
		{"/completion", `{"prompt":"a","response_fields":["completion_probabilities/0/id","timings/predicted_ms"]}`},
	}
	fine := []request{
		{chatPath, `{"messages":[],"stream":true,"return_token_ids":false}`},
		{chatPath, `{"messages":[],"stream":true,"return_token_ids":null}`},
		{chatPath, `{"messages":[],"return_token_ids":true}`},
		{"/completion", `{"prompt":"a","response_fields":["content","tokens"]}`},
		{"/completion", `{"prompt":"a","response_fields":["timings/predicted_ms"]}`},
	}
	for _, mode := range []detect.Action{detect.Redact, detect.Block} {
		cfg := bedConfig(t, up.url())
		cfg.Mode = mode
		b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
		for _, r := range ahead {
			if status, _, text, err := b.do("POST", r.path, r.body); err != nil || status != 400 || !strings.Contains(text, "token_ids_ahead") {
				t.Errorf("%v %s: %d %q %v", mode, r.body, status, text, err)
			}
		}
		if len(up.requests) > 0 {
			t.Errorf("%v: upstream got %q", mode, <-up.requests)
		}
		for _, r := range fine {
			if status, _, text, err := b.do("POST", r.path, r.body); err != nil || status != 200 {
				t.Errorf("%v %s: %d %q %v", mode, r.body, status, text, err)
			}
			<-up.requests
		}
	}
	cfg := bedConfig(t, up.url())
	cfg.Mode = detect.Observe
	b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
	for _, r := range ahead {
		if status, _, text, err := b.do("POST", r.path, r.body); err != nil || status != 200 {
			t.Errorf("observe %s: %d %q %v", r.body, status, text, err)
		}
		<-up.requests
	}
}
