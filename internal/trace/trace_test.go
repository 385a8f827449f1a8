package trace

import (
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	collectorpb "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"noecho/internal/post"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestBegin(t *testing.T) {
	t.Parallel()
	all, none := &Tracer{share: 1}, &Tracer{}
	begins := func(t0 *Tracer, parents ...string) Context {
		t.Helper()
		c := t0.Begin(parents, []string{"a=1", "b=2"})
		if c.Caller != [8]byte{} || c.State != "" || c.Trace == [16]byte{} || c.Span == c.Asked {
			t.Errorf("%q: %+v", parents, c)
		}
		return c
	}
	for _, bad := range []string{
		"", "00", strings.ToUpper(parent), parent + "0", parent + "-0", "ff" + parent[2:], "0g" + parent[2:], parent[:54] + "x",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
		strings.Replace(parent, "-", "_", 1), "01" + parent[2:] + "x",
	} {
		if c := begins(all, bad); !c.Sampled || c.Parent()[52:] != "-01" {
			t.Errorf("%q is not sampled: %s", bad, c.Parent())
		}
		if c := begins(none, bad); c.Sampled || c.Parent()[52:] != "-00" {
			t.Errorf("%q is sampled: %s", bad, c.Parent())
		}
	}
	begins(all, parent, parent)
	begins(all)
	for _, good := range []string{parent, "01" + parent[2:], "01" + parent[2:] + "-more"} {
		c := none.Begin([]string{good}, []string{"a=1", "b=2"})
		if !c.Sampled || c.State != "a=1,b=2" || hex.EncodeToString(c.Trace[:]) != parent[3:35] || hex.EncodeToString(c.Caller[:]) != parent[36:52] {
			t.Errorf("%q: %+v", good, c)
		}
		if got := c.Parent(); got != "00-"+parent[3:36]+hex.EncodeToString(c.Asked[:])+"-01" {
			t.Errorf("%q: passed on as %q", good, got)
		}
	}
	c := all.Begin([]string{parent[:53] + "00"}, nil)
	if got := c.Parent(); c.Sampled || got != parent[:53]+"00" {
		t.Errorf("a trace that is not sampled is passed on as %q", got)
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"": true, "a=1": true, "t@v=x y, b-_*/1=~": true, "a=1,,b=2": true,
		"a": false, "=1": false, "a=": false, "A=1": false, "a=1=2": false, "a=\x7f": false, "a=é": false, "a=1 ,b=\n": false,
		strings.Repeat("a=1,", 32): true, strings.Repeat("a=1,", 33): false, "a=" + strings.Repeat("x", 256): true, "a=" + strings.Repeat("x", 257): false,
		"a=" + strings.Repeat("x", 250) + ",b=" + strings.Repeat("x", 250) + ",c=1234567890": false,
	} {
		if got := validState(s); got != want {
			t.Errorf("%q: %t", s, got)
		}
	}
}

// FuzzContext: whatever headers come, the upstream gets a valid traceparent and a valid
// tracestate, and the trace is the caller's exactly if its traceparent is valid.
func FuzzContext(f *testing.F) {
	f.Add(parent, "a=1")
	f.Add("cc-"+parent[3:]+"-x", "a=1,b")
	f.Fuzz(func(t *testing.T, p, s string) {
		c := (&Tracer{share: .5}).Begin([]string{p}, []string{s})
		var again Context
		if out := c.Parent(); !again.parse(out) || again.Trace != c.Trace || again.Sampled != c.Sampled {
			t.Fatalf("%q is passed on as %q", p, out)
		}
		if !validState(c.State) {
			t.Fatalf("tracestate %q", c.State)
		}
	})
}

var sample = Answer{
	Context: Context{Trace: [16]byte{1}, Caller: [8]byte{2}, Span: [8]byte{3}, Asked: [8]byte{4}, Sampled: true, State: "a=1"},
	Begun:   time.Unix(1, 0), Asked: time.Unix(2, 0), Head: time.Unix(3, 0), Ended: time.Unix(4, 0),
	Method: "POST", Route: "/v1/x", API: "openai.chat", Mode: "redact", Action: "clean", RequestID: "id", Upstream: "model:1", Status: 200, Answered: 201, Bytes: 7,
}

// decode reads a body by the published types.
func decode(t *testing.T, body []byte) (resource map[string]string, spans []*tracepb.Span) {
	t.Helper()
	var req collectorpb.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &req); err != nil {
		t.Fatal(err)
	}
	if len(req.ProtoReflect().GetUnknown()) > 0 || len(req.ResourceSpans) != 1 || len(req.ResourceSpans[0].ScopeSpans) != 1 {
		t.Fatalf("%v", &req)
	}
	resource = map[string]string{}
	for _, a := range req.ResourceSpans[0].Resource.Attributes {
		resource[a.Key] = a.Value.GetStringValue()
	}
	if name := req.ResourceSpans[0].ScopeSpans[0].Scope.Name; name != "noecho" {
		t.Errorf("scope %q", name)
	}
	return resource, req.ResourceSpans[0].ScopeSpans[0].Spans
}

func TestEncode(t *testing.T) {
	t.Parallel()
	resource, spans := decode(t, appendRequest(nil, appendResource(nil, "eu-1", "1.2"), []Answer{sample}))
	if resource["service.name"] != "noecho" || resource["service.instance.id"] != "eu-1" || resource["service.version"] != "1.2" {
		t.Errorf("%v", resource)
	}
	if len(spans) != 3 {
		t.Fatalf("%d spans", len(spans))
	}
	for i, want := range []struct {
		name         string
		kind         tracepb.Span_SpanKind
		parent       byte
		begin, end   uint64
		status, code int64
	}{
		{"POST /v1/x", tracepb.Span_SPAN_KIND_SERVER, 2, 1, 4, 0, 200},
		{"upstream", tracepb.Span_SPAN_KIND_CLIENT, 3, 2, 3, 0, 201},
		{"answer", tracepb.Span_SPAN_KIND_INTERNAL, 3, 3, 4, 0, 0},
	} {
		s := spans[i]
		attrs := map[string]int64{}
		for _, a := range s.Attributes {
			attrs[a.Key] = a.Value.GetIntValue()
		}
		if s.Name != want.name || s.Kind != want.kind || s.ParentSpanId[0] != want.parent || s.StartTimeUnixNano != want.begin*1e9 || s.EndTimeUnixNano != want.end*1e9 ||
			s.TraceState != "a=1" || len(s.TraceId) != 16 || len(s.SpanId) != 8 || s.Status != nil || s.Flags != 1 || attrs["http.response.status_code"] != want.code {
			t.Errorf("span %d: %v", i, s)
		}
	}
	refused := sample
	refused.Asked, refused.Status, refused.Context.Caller = time.Time{}, 503, [8]byte{}
	unanswered := sample
	unanswered.Head, unanswered.Failed = time.Time{}, true
	_, spans = decode(t, appendRequest(nil, nil, []Answer{refused, unanswered}))
	if len(spans) != 3 || len(spans[0].ParentSpanId) != 0 || refused.spans()+unanswered.spans() != 3 {
		t.Fatalf("%v", spans)
	}
	for _, s := range spans {
		if s.Status.GetCode() != tracepb.Status_STATUS_CODE_ERROR {
			t.Errorf("%v is no error", s)
		}
	}
}

func TestRejected(t *testing.T) {
	t.Parallel()
	answer, err := proto.Marshal(&collectorpb.ExportTraceServiceResponse{PartialSuccess: &collectorpb.ExportTracePartialSuccess{RejectedSpans: 7, ErrorMessage: "no"}})
	if err != nil {
		t.Fatal(err)
	}
	if n := post.Rejected(answer); n != 7 {
		t.Errorf("%d rejected", n)
	}
}

func FuzzRejected(f *testing.F) {
	f.Add([]byte{10, 2, 8, 7})
	f.Fuzz(func(t *testing.T, answer []byte) {
		var got collectorpb.ExportTraceServiceResponse
		if n := post.Rejected(answer); proto.Unmarshal(answer, &got) == nil && got.PartialSuccess == nil && n != 0 {
			t.Fatalf("%d rejected, and %v", n, &got)
		}
	})
}

// script is a collector that answers as a test says.
type script struct {
	mu     sync.Mutex
	errs   []error // of the next posts
	bodies [][]byte
}

func (s *script) Post(ctx context.Context, body []byte, _ map[string]string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(s.errs) > 0 {
		err := s.errs[0]
		s.errs = s.errs[1:]
		if err != nil {
			return nil, err
		}
	}
	s.bodies = append(s.bodies, body)
	return nil, nil
}

// TestRetry: a collector that is down for a while gets the spans later, in the time that it asks
// for; one that cannot read them does not get them again. Every span is counted.
func TestRetry(t *testing.T) {
	t.Parallel()
	down := &post.Error{Status: 503}
	for name, tt := range map[string]struct {
		errs          []error
		after         time.Duration
		sent, dropped uint64
	}{
		"up":      {nil, 0, 3, 0},
		"once":    {[]error{down}, firstPause, 3, 0},
		"asked":   {[]error{&post.Error{Status: 429, After: 30 * time.Second}}, 30 * time.Second, 3, 0},
		"thrice":  {[]error{down, down, down}, 7 * firstPause, 3, 0},
		"down":    {[]error{down, down, down, down}, 7 * firstPause, 0, 3},
		"refused": {[]error{&post.Error{Status: 400, Refused: true}}, 0, 0, 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{errs: tt.errs}
			tracer := Open(Options{Collector: s, Share: 1})
			tracer.Add(sample)
			time.Sleep(sendEvery + tt.after)
			synctest.Wait()
			if sent, dropped := tracer.Counts(); sent != tt.sent || dropped != tt.dropped {
				t.Errorf("%s: %d sent, %d dropped, want %d, %d", name, sent, dropped, tt.sent, tt.dropped)
			}
			tracer.Close()
		})
	}
}

// TestQueue: Add never waits for a collector that does not answer; the spans beyond the bound are
// dropped and counted, and those that wait are sent at the end.
func TestQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{errs: []error{&post.Error{After: time.Hour}}}
		tracer := Open(Options{Collector: s, Share: 1})
		const n = 2 * maxWaiting
		for range batch {
			tracer.Add(sample)
		}
		synctest.Wait() // the first batch waits for its second attempt
		for range n - batch {
			tracer.Add(sample)
		}
		unsampled := sample
		unsampled.Context.Sampled = false
		tracer.Add(unsampled)
		if _, dropped := tracer.Counts(); dropped != 3*(n-batch-maxWaiting) {
			t.Errorf("%d dropped, want %d", dropped, 3*(n-batch-maxWaiting))
		}
		tracer.Close()
		sent, dropped := tracer.Counts()
		if sent+dropped != 3*n || sent != 3*maxWaiting {
			t.Errorf("%d sent, %d dropped of %d", sent, dropped, 3*n)
		}
		got := 0
		for _, body := range s.bodies {
			_, spans := decode(t, body)
			got += len(spans)
		}
		if uint64(got) != sent {
			t.Errorf("the collector has %d spans, want %d", got, sent)
		}
	})
}

// TestCollector sends by HTTP to a collector that reads the published types.
func TestCollector(t *testing.T) {
	t.Parallel()
	bodies := make(chan []byte, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != "POST" || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" || r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusBadRequest)
		}
		bodies <- body
	}))
	defer server.Close()
	u, err := url.Parse(server.URL + "/v1/traces")
	if err != nil {
		t.Fatal(err)
	}
	tracer := Open(Options{Collector: HTTP(u, "secret", nil), Share: 1})
	tracer.Add(sample)
	tracer.Close()
	sent, dropped := tracer.Counts()
	if _, spans := decode(t, <-bodies); len(spans) != 3 || sent != 3 || dropped != 0 {
		t.Errorf("%d sent, %d dropped: %v", sent, dropped, spans)
	}
}

func TestNone(t *testing.T) {
	t.Parallel()
	var tracer *Tracer
	tracer.Add(sample)
	tracer.Close()
	if sent, dropped := tracer.Counts(); sent+dropped != 0 {
		t.Error("no tracer counts")
	}
}

func BenchmarkAdd(b *testing.B) {
	b.ReportAllocs()
	tracer := &Tracer{share: 1, wake: make(chan struct{}, 1)}
	for b.Loop() {
		a := sample
		a.Context = tracer.Begin([]string{parent}, nil)
		_ = a.Context.Parent()
		tracer.Add(a)
		tracer.waiting = tracer.waiting[:0]
	}
}
