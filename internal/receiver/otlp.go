package receiver

import (
	"bytes"
	"context"
	"errors"

	"google.golang.org/protobuf/encoding/protowire"

	"noecho/internal/outbox"
	"noecho/internal/post"
)

// OTLP posts lines to a collector of OpenTelemetry, many in one request. A line is the field
// log_records of a ScopeLogs message, as package format encodes it; the messages around it are
// the same for all.
type OTLP struct {
	poster
	resource []byte // the fields of a ResourceLogs message before its scope_logs
	scope    []byte // the fields of a ScopeLogs message before its log_records
}

// The fields of the messages of opentelemetry/proto/logs/v1.
const (
	fieldResourceLogs = 1 // of ExportLogsServiceRequest
	fieldScopeLogs    = 2 // of ResourceLogs
)

// NewOTLP returns a client of a collector. resource and scope are encoded as
// package format does.
func NewOTLP(load Load, resource, scope []byte, dial Dial) (*OTLP, error) {
	o := &OTLP{poster: poster{load: load, dial: dial, header: map[string]string{"content-type": "application/x-protobuf"}}, resource: resource, scope: scope}
	return o, o.open()
}

// Send implements [outbox.Peer]. It sends all lines.
func (o *OTLP) Send(ctx context.Context, lines []outbox.Line) (int, error) {
	scope := bytes.Clone(o.scope)
	for _, l := range lines {
		scope = append(scope, l.Text...)
	}
	logs := protowire.AppendBytes(protowire.AppendTag(bytes.Clone(o.resource), fieldScopeLogs, protowire.BytesType), scope)
	body := protowire.AppendBytes(protowire.AppendTag(nil, fieldResourceLogs, protowire.BytesType), logs)
	answer, err := o.send(ctx, body, nil)
	if err != nil {
		return 0, err
	}
	if post.Rejected(answer) > 0 { // it does not say which
		return 0, &outbox.Error{Refused: true, Err: errRejected}
	}
	return len(lines), nil
}

var errRejected = errors.New("the collector rejected log records")

var _ outbox.Peer = (*OTLP)(nil)
