package proxy

import (
	"context"
	"encoding/hex"
	"regexp"
	"strings"
	"sync"
	"testing"

	collectorpb "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"noecho/internal/trace"
)

// collector keeps the spans that it gets.
type collector struct {
	t     *testing.T
	mu    sync.Mutex
	spans []*tracepb.Span
	text  string
}

func (c *collector) Post(_ context.Context, body []byte, _ map[string]string) ([]byte, error) {
	var req collectorpb.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &req); err != nil {
		c.t.Error(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text += string(body)
	for _, r := range req.ResourceSpans {
		for _, s := range r.ScopeSpans {
			c.spans = append(c.spans, s.Spans...)
		}
	}
	return nil, nil
}

const callerTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// TestTraces: an answer has spans in the trace of its caller, the model server gets a new span of
// it, and no span has a byte of a request or an answer.
func TestTraces(t *testing.T) {
	t.Parallel()
	const canary = "zebrafish"
	up := newScripted(t, func(c *scene) {
		c.whole(200, "application/json", `{"choices":[{"index":0,"message":{"content":"`+canary+`"},"finish_reason":"stop"}]}`)
	})
	got := &collector{t: t}
	tracer := trace.Open(trace.Options{Collector: got})
	b := newBed(t, Options{Config: bedConfig(t, up.url()), Traces: tracer})
	ask := func(header ...string) string {
		t.Helper()
		status, _, text, err := b.do("POST", chatPath+"?k="+canary, strings.Replace(askWhole, "hi", canary, 1), append(header, "Authorization", canary, "X-Title", canary)...)
		if status != 200 || err != nil {
			t.Fatal(status, text, err)
		}
		return wait(t, up.requests, "the request")
	}
	head := ask("Traceparent", callerTrace, "Tracestate", "a=1")
	passed := regexp.MustCompile(`(?i)\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-([0-9a-f]{16})-01\r\n`).FindStringSubmatch(head)
	if len(passed) == 0 || strings.Contains(head, callerTrace) || !strings.Contains(head, "\r\nTracestate: a=1\r\n") {
		t.Fatalf("%q", head)
	}
	head = ask("Traceparent", "00-bad", "Tracestate", "a=1")
	if !regexp.MustCompile(`(?i)\r\ntraceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-00\r\n`).MatchString(head) || strings.Contains(head, "bad") || strings.Contains(head, "Tracestate") {
		t.Errorf("%q", head)
	}
	if status, _, _, err := b.do("POST", "/v1/"+canary, canary, "Traceparent", callerTrace); status != 404 || err != nil {
		t.Fatal(status, err)
	}
	b.stop()
	tracer.Close()
	if strings.Contains(got.text, canary) {
		t.Error("a span has text of a request or an answer")
	}
	var names []string
	for _, s := range got.spans {
		names = append(names, s.Name)
		if hex.EncodeToString(s.TraceId) != callerTrace[3:35] {
			t.Errorf("span %s of the trace %x", s.Name, s.TraceId)
		}
	}
	if strings.Join(names, ", ") != "POST "+chatPath+", upstream, answer, POST" {
		t.Fatalf("%q", names)
	}
	server, client := got.spans[0], got.spans[1]
	if hex.EncodeToString(server.ParentSpanId) != callerTrace[36:52] || hex.EncodeToString(client.SpanId) != passed[1] || string(client.ParentSpanId) != string(server.SpanId) || string(got.spans[2].ParentSpanId) != string(server.SpanId) {
		t.Errorf("%v", got.spans)
	}
	attrs := map[string]string{}
	for _, a := range server.Attributes {
		attrs[a.Key] = a.Value.GetStringValue()
	}
	if attrs["http.route"] != chatPath || attrs["noecho.action"] != "clean" || attrs["noecho.mode"] != "redact" || attrs["noecho.api"] != "openai.chat" || attrs["noecho.request_id"] == "" {
		t.Errorf("%v", attrs)
	}
	for _, s := range got.spans[:3] {
		if s.EndTimeUnixNano < s.StartTimeUnixNano || s.StartTimeUnixNano < server.StartTimeUnixNano || s.EndTimeUnixNano > server.EndTimeUnixNano {
			t.Errorf("%s from %d to %d in one from %d to %d", s.Name, s.StartTimeUnixNano, s.EndTimeUnixNano, server.StartTimeUnixNano, server.EndTimeUnixNano)
		}
	}
}

// TestNoTraces: without a collector the headers of a trace pass as they came.
func TestNoTraces(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "application/json", `{"choices":[]}`) })
	b := newBed(t, Options{Config: bedConfig(t, up.url())})
	if status, _, _, err := b.do("POST", chatPath, askWhole, "Traceparent", callerTrace, "Tracestate", "x"); status != 200 || err != nil {
		t.Fatal(status, err)
	}
	if head := wait(t, up.requests, "the request"); !strings.Contains(head, "\r\nTraceparent: "+callerTrace+"\r\n") || !strings.Contains(head, "\r\nTracestate: x\r\n") {
		t.Errorf("%q", head)
	}
}
