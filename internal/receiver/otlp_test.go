package receiver

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"

	"noecho/internal/format"
	"noecho/internal/outbox"
	"noecho/internal/post"
	"noecho/proxy/alert"
)

// TestOTLP: the published types read a request, with all events of the call in it.
func TestOTLP(t *testing.T) {
	t.Parallel()
	var got collector.ExportLogsServiceRequest
	var answer []byte
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Content-Type") != "application/x-protobuf" || r.URL.Path != "/v1/logs" || r.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("%s with %v", r.URL, r.Header)
		}
		if err := proto.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
		_, _ = w.Write(answer)
	}))
	defer srv.Close()
	o, err := NewOTLP(load(t, srv.URL+"/v1/logs"), format.OTLPResource("pod-0", "v1.2.3"), format.OTLPScope(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	at := time.Date(2026, 3, 4, 12, 0, 0, 123456789, time.UTC)
	var lines []outbox.Line
	for seq := range uint64(3) {
		ev := alert.Event{
			Type: alert.TypeFinding, Boot: "B", Seq: seq + 1, Time: at, Severity: alert.High, Model: "m\xff", Words: 63,
			Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		}
		lines = append(lines, outbox.Line{Text: format.OTLP(alert.AppendLine)(nil, &ev)})
	}
	for _, answer = range [][]byte{nil, partial(t, 0), []byte("\xff")} {
		if n, err := o.Send(t.Context(), lines); n != 3 || err != nil {
			t.Fatal(n, err)
		}
	}
	answer = partial(t, 1)
	var refused *outbox.Error
	if n, err := o.Send(t.Context(), lines); n != 0 || !errors.As(err, &refused) || !refused.Refused {
		t.Errorf("%d, %v", n, err)
	}
	logs := got.ResourceLogs[0]
	if a := logs.Resource.Attributes; len(a) != 3 || a[0].Key != "service.name" || a[0].Value.GetStringValue() != "noecho" || a[1].Value.GetStringValue() != "pod-0" {
		t.Errorf("resource %v", logs.Resource)
	}
	if s := logs.ScopeLogs; len(s) != 1 || s[0].Scope.Name != "noecho/alerts" || len(s[0].LogRecords) != 3 {
		t.Fatalf("%v", logs.ScopeLogs)
	}
	r := logs.ScopeLogs[0].LogRecords[1]
	attributes := map[string]string{}
	for _, a := range r.Attributes {
		attributes[a.Key] = a.Value.GetStringValue()
		if a.Key == "noecho.words" && a.Value.GetIntValue() != 63 {
			t.Error(a)
		}
	}
	if r.TimeUnixNano != uint64(at.UnixNano()) || r.ObservedTimeUnixNano != r.TimeUnixNano || r.SeverityNumber != 17 || r.SeverityText != "high" || r.EventName != "noecho.finding" ||
		len(r.TraceId) != 16 || len(r.SpanId) != 8 || r.Flags != 1 || attributes["noecho.id"] != "B:2" || attributes["noecho.model"] != "m\ufffd" {
		t.Errorf("%v", r)
	}
	if body := r.Body.GetStringValue(); body == "" || body[0] != '{' || body[len(body)-1] != '}' {
		t.Errorf("body %q", body)
	}
	if len(got.ProtoReflect().GetUnknown())+len(r.ProtoReflect().GetUnknown()) > 0 {
		t.Error("fields that the types do not have")
	}
}

// partial is an answer that says how many records were rejected.
func partial(t *testing.T, rejected int64) []byte {
	t.Helper()
	b, err := proto.Marshal(&collector.ExportLogsServiceResponse{PartialSuccess: &collector.ExportLogsPartialSuccess{RejectedLogRecords: rejected, ErrorMessage: "why"}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzRejected: an answer of any bytes is read.
func FuzzRejected(f *testing.F) {
	f.Add([]byte{0x0a, 0x02, 0x08, 0x01})
	f.Fuzz(func(t *testing.T, answer []byte) {
		post.Rejected(answer)
		for _, n := range []int64{0, 1, 1 << 40} {
			if text := partial(t, n); post.Rejected(append(text, answer...)) != uint64(n) {
				t.Errorf("%d records rejected, and %x behind", n, answer)
			}
		}
	})
}
