package post

import "google.golang.org/protobuf/encoding/protowire"

// Rejected returns how many spans or log records a collector of OpenTelemetry says that it has not
// taken, given its answer to an export by OTLP over HTTP, in protobuf: the field 1 of its field
// partial_success, which is the field 1 of every such answer. An answer of other bytes rejects none.
func Rejected(answer []byte) uint64 {
	partial, ok := field(answer, protowire.BytesType)
	if !ok {
		return 0
	}
	inner, _ := protowire.ConsumeBytes(partial)
	count, ok := field(inner, protowire.VarintType)
	if !ok {
		return 0
	}
	n, _ := protowire.ConsumeVarint(count)
	return n
}

// field returns a message from the value of its first field 1 of a type on.
func field(message []byte, kind protowire.Type) ([]byte, bool) {
	for len(message) > 0 {
		number, got, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil, false
		}
		message = message[n:]
		size := protowire.ConsumeFieldValue(number, got, message)
		if size < 0 {
			return nil, false
		}
		if number == 1 && got == kind {
			return message, true
		}
		message = message[size:]
	}
	return nil, false
}
