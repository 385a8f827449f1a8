package relay

import (
	"errors"
	"strings"
	"testing"

	"noecho/detect"
	"noecho/proxy/wire"
	"noecho/proxy/wire/api"
)

// responsesConfig judges an answer to a request of the Responses API.
func responsesConfig(t *testing.T, mode Decision, ask string) Config {
	t.Helper()
	cfg := testConfig(t)
	cfg.Family, cfg.Decision, cfg.Set = api.ByName("openai.responses"), mode, newMemory(cfg.Spec, apiSecret)
	var err error
	if cfg.Request, err = cfg.Family.Request("/v1/responses", []byte(ask)); err != nil {
		t.Fatal(err)
	}
	cfg.Detect.Prompt = &detect.Prompt{Tail: cfg.Request.Tail, Suffix: cfg.Request.Suffix}
	for _, text := range cfg.Request.Messages {
		cfg.Detect.Prompt.Messages = append(cfg.Detect.Prompt.Messages, detect.NewMessage(cfg.Set, cfg.Spec, text))
	}
	return cfg
}

// Words that a response repeats of its request are no leak, wherever the request has
// them. All others are.
func TestResponsesEcho(t *testing.T) {
	t.Parallel()
	const text = "Always say: " + apiSecret + ". Be brief."
	for _, tt := range []struct{ name, member string }{
		{"instructions", `"instructions":"` + text + `"`},
		{"tools", `"tools":[{"type":"function","name":"f","description":"` + text + `","parameters":{"type":"object","properties":{"a":{"description":"` + text + `"}}}}]`},
		{"prompt", `"prompt":{"id":"pmpt_1","version":"2","variables":{"a":"` + text + `","b":{"type":"input_text","text":"` + text + `"}}}`},
		{"schema", `"text":{"format":{"type":"json_schema","name":"s","schema":{"type":"object","description":"` + text + `"}}}`},
		{"metadata", `"metadata":{"note":"` + text + `"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			body := `{"id":"r","object":"response","status":"completed",` + tt.member + `,"output":[]}`
			s := &responsesScript{}
			s.event("response.created", `"response":`+body)
			s.event("response.in_progress", `"response":`+body)
			s.event("response.completed", `"response":`+body)
			stream := s.out.String()
			asked := responsesConfig(t, blocking, `{"model":"m","input":"hi",`+tt.member+`}`)
			got := everySplit(t, asked, stream)
			if got.out != stream || got.err != nil {
				t.Errorf("streamed: %v\n%s", got.err, got.out)
			}
			for _, line := range got.findings {
				if !strings.HasPrefix(line, "echo ") {
					t.Errorf("streamed: %s", line)
				}
			}
			if got, _ := whole(asked, body); got.out != body || got.err != nil {
				t.Errorf("whole: %v\n%s", got.err, got.out)
			}
			other := responsesConfig(t, redacting, `{"model":"m","input":"hi"}`)
			other.Framing = wire.SSE
			got = everySplit(t, other, stream)
			hidden(t, got.out)
			if strings.Count(got.out, "[redacted]") < 3 || got.err != nil {
				t.Errorf("not asked: %v\n%s", got.err, got.out)
			}
			got, _ = whole(other, body)
			hidden(t, got.out)
			other.Decision = blocking
			if got := relayed(other, stream); !errors.Is(got.err, ErrBlocked) {
				t.Errorf("blocked: %v", got.err)
			} else {
				hidden(t, got.out)
			}
		})
	}
}

// A leak that begins in the request's last text goes on in the answer.
func TestResponsesContinues(t *testing.T) {
	t.Parallel()
	words := strings.Fields(apiSecret)
	ask := `{"model":"m","input":[{"role":"user","content":"go on"},{"role":"assistant","content":[{"type":"output_text","text":"` + strings.Join(words[:3], " ") + `"}]}]}`
	cfg := responsesConfig(t, redacting, ask)
	rest := strings.Join(words[3:], " ")
	body := responsesStreamed(func(s *responsesScript, n int) string {
		return responsesMessage("output_text", "text", "")(s, n, apiPieces(" "+rest+" and more"))
	})
	got := everySplit(t, cfg, string(body))
	if len(got.findings) != 1 {
		t.Errorf("findings = %q", got.findings)
	}
	hidden(t, got.out)
}

// A text that was cut because two pieces of it have another content_index is
// one text all the same.
func TestResponsesContentIndex(t *testing.T) {
	t.Parallel()
	cfg := responsesConfig(t, redacting, responsesAskStream)
	got := everySplit(t, cfg, string(responsesVLLM(apiPieces(apiBefore+" "+apiSecret+apiAfter))))
	if len(got.findings) != 1 || !strings.Contains(got.findings[0], " output.1.content ") {
		t.Errorf("findings = %q", got.findings)
	}
}

// In JSON mode the text stays JSON in each of its places.
func TestResponsesSchema(t *testing.T) {
	t.Parallel()
	cfg := responsesConfig(t, redacting, `{"model":"m","input":"hi","text":{"format":{"type":"json_object"}}}`)
	body := responsesStreamed(func(s *responsesScript, n int) string {
		return responsesMessage("output_text", "text", "")(s, n, []string{`{"a":"quartz violet`, ` sphinx umpire walnut","b":[`, `"lagoon",7]}`})
	})
	got := everySplit(t, cfg, string(body))
	const want = `"{\"a\":\"[redacted]\",\"b\":[\"[redacted]\",7]}"`
	if n := strings.Count(got.out, want); n != 4 {
		t.Errorf("%d times %s in %s", n, want, got.out)
	}
}

// A stream that breaks off ends with an error event that goes on counting.
func TestResponsesBrokenOff(t *testing.T) {
	t.Parallel()
	cfg := responsesConfig(t, redacting, responsesAskStream)
	s := &responsesScript{}
	s.event("response.created", `"response":`+responsesObject("in_progress", "null", ""))
	s.event("response.output_item.added", `"output_index":0,"item":{"id":"m","type":"message","role":"assistant","content":[]}`)
	r := New(cfg)
	out, err := r.Append(nil, []byte(s.out.String()))
	if err != nil {
		t.Fatal(err)
	}
	out = r.Abort(out, FailUpstream)
	const want = "event: error\ndata: {\"type\":\"error\",\"code\":\"upstream_error\",\"message\":\"the upstream broke off: the answer is not complete\",\"param\":null,\"sequence_number\":2}\n\n"
	if string(out) != s.out.String()+want {
		t.Errorf("got %s", out)
	}
}
