package wire

// Framing is how a body is cut into messages.
type Framing uint8

// The framings. The zero value is one JSON document.
const (
	JSON Framing = iota
	SSE
)
