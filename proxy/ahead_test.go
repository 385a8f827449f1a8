package proxy

import (
	"strings"
	"testing"

	"noecho/detect"
	"noecho/proxy/config"
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

// TestTokenPrompts: a prompt that shows no text is refused, unless the route or the mode
// lets it pass; then it is counted, as are prompts that the server keeps.
func TestTokenPrompts(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "application/json", "{}") })
	type request struct{ path, body string }
	coded := []request{
		{"/v1/completions", `{"prompt":[1,2,3]}`},
		{"/v1/completions", `{"prompt":[[1,2],[3]]}`},
		{"/v1/completions", `{"prompt":["a",[3]]}`},
		{"/v1/completions", `{"prompt":"a","prompt_embeds":"AAAA"}`},
		{"/v1/completions", `{"prompt":[],"prompt_embeds":["AAAA"]}`},
		{"/v1/completions", `{"prompt":{"prompt_token_ids":[5]}}`},
		{chatPath, `{"messages":[],"prompt_token_ids":[1]}`},
		{chatPath, `{"messages":[{"role":"user","content":[{"type":"prompt_embeds","prompt_embeds":"AAAA"}]}]}`},
		{"/completion", `{"prompt":[12,"text",13]}`},
		{"/completion", `{"prompt":7}`},
		{"/generate", `{"input_ids":[1,2]}`},
		{"/infill", `{"prompt":"a","input_prefix":[1,2],"input_suffix":"b"}`},
		{"/generate", `{"input_embeds":[[0.5]],"sampling_params":{}}`},
		{"/generate", `{"prompt":[1,2]}`},
		{"/invocations", `{"prompt":[1,2]}`},
		{"/api/generate", `{"prompt":"go on","context":[1,2],"stream":false}`},
	}
	fine := []request{
		{"/v1/completions", `{"prompt":["a","b"],"stop_token_ids":[2],"logit_bias":{"5":1}}`},
		{"/v1/completions", `{"prompt":"a","prompt_embeds":null}`},
		{"/completion", `{"prompt":{"prompt_string":"a","multimodal_data":["AAAA"]}}`},
		{"/api/generate", `{"prompt":"go on","context":[],"stream":false}`},
		{"/v1/embeddings", `{"input":[1,2,3]}`},
		{"/v1/responses", `{"input":"go on","previous_response_id":"resp_1"}`},
		{"/v1/responses", `{"prompt":{"id":"pmpt_1"}}`},
		{"/v1beta/models/m:generateContent", `{"cachedContent":"cachedContents/1","contents":[]}`},
	}
	for _, mode := range []detect.Action{detect.Redact, detect.Block, detect.Observe} {
		for _, tokens := range []config.Unscanned{config.Refuse, config.Pass} {
			cfg := bedConfig(t, up.url())
			cfg.Mode, cfg.Routes = mode, []config.Route{{Path: "/", Tokens: tokens}}
			b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
			passes := mode == detect.Observe || tokens == config.Pass
			for _, r := range coded {
				status, _, text, err := b.do("POST", r.path, r.body)
				if passes {
					<-up.requests
				}
				if err != nil || passes != (status == 200) || !passes && (status != 400 || !strings.Contains(text, "token_prompts")) {
					t.Errorf("%v %v %s %s: %d %q %v", mode, tokens, r.path, r.body, status, text, err)
				}
			}
			for _, r := range fine {
				if status, _, text, err := b.do("POST", r.path, r.body); err != nil || status != 200 {
					t.Errorf("%v %s %s: %d %q %v", mode, r.path, r.body, status, text, err)
				}
				<-up.requests
			}
			want := map[string]int{"token_ids": 0, "stored": 3}
			if passes {
				want["token_ids"] = len(coded)
			}
			for kind, n := range want {
				if got := b.metric("noecho_unseen_prompts_total", `{kind="`+kind+`"}`); got != n {
					t.Errorf("%v %v: %d prompts of kind %s, want %d", mode, tokens, got, kind, n)
				}
			}
		}
	}
}
