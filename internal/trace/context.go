// Package trace tells a collector of OpenTelemetry how long each answer took: spans by OTLP over
// HTTP, and the W3C trace context that joins them with those of other programs.
//
// It knows traces, a bounded queue and the encoding. It must not know texts: a span has only the
// members of [Answer]. It decides nothing about an answer, and never delays one.
package trace

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strings"
)

// Context is the place of one answer in a trace. The zero value is no trace.
type Context struct {
	Trace   [16]byte
	Caller  [8]byte // span of the caller; zero: the trace begins here
	Span    [8]byte // of the answer
	Asked   [8]byte // of the request to the model server
	Sampled bool    // spans are sent
	State   string  // the caller's tracestate; empty: none
}

// The lengths of a traceparent and of its parts (W3C Trace Context, version 00).
const (
	parentLength = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	traceAt      = len("00-")
	callerAt     = traceAt + 2*16 + 1
	flagsAt      = callerAt + 2*8 + 1
)

// flagSampled is the flag of a trace whose spans are recorded.
const flagSampled = 1

// parse reads a traceparent. A later version may go on behind the parts of version 00.
func (c *Context) parse(s string) bool {
	if len(s) < parentLength || s[2] != '-' || s[callerAt-1] != '-' || s[flagsAt-1] != '-' || strings.ToLower(s) != s {
		return false
	}
	if len(s) > parentLength && (s[:2] == "00" || s[parentLength] != '-') {
		return false
	}
	var version, flags [1]byte
	for _, part := range [...]struct {
		dst  []byte
		text string
	}{{version[:], s[:2]}, {c.Trace[:], s[traceAt : callerAt-1]}, {c.Caller[:], s[callerAt : flagsAt-1]}, {flags[:], s[flagsAt:parentLength]}} {
		if _, err := hex.Decode(part.dst, []byte(part.text)); err != nil {
			return false
		}
	}
	c.Sampled = flags[0]&flagSampled != 0
	return version[0] != 0xff && c.Trace != [16]byte{} && c.Caller != [8]byte{}
}

// Bounds of a tracestate: of its members, and of its text, in bytes.
const (
	maxMembers = 32
	maxState   = 512
)

// validState reports whether a text is a tracestate.
func validState(s string) bool {
	if len(s) > maxState {
		return false
	}
	n := 0
	for member := range strings.SplitSeq(s, ",") {
		member = strings.Trim(member, " \t")
		if member == "" {
			continue
		}
		key, value, ok := strings.Cut(member, "=")
		if n++; n > maxMembers || !ok || !validKey(key) || !validValue(value) {
			return false
		}
	}
	return true
}

func validKey(s string) bool {
	return s != "" && len(s) <= 256 && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("_-*/@", c)
	})
}

func validValue(s string) bool {
	return s != "" && len(s) <= 256 && !strings.HasSuffix(s, " ") && !strings.ContainsFunc(s, func(c rune) bool {
		return c < ' ' || c > '~' || c == ',' || c == '='
	})
}

// Begin returns the place of an answer in the trace of its request. parents and states are the
// headers traceparent and tracestate. Without a valid traceparent a trace begins, of which the
// share of the tracer is sampled; else the caller has decided that.
func (t *Tracer) Begin(parents, states []string) Context {
	var c Context
	if len(parents) != 1 || !c.parse(parents[0]) {
		c = Context{Trace: newTrace(), Sampled: rand.Float64() < t.share}
		c.Span = newSpan()
		c.Asked = newSpan()
		return c
	}
	if state := strings.Join(states, ","); validState(state) {
		c.State = state
	}
	c.Span, c.Asked = newSpan(), newSpan()
	return c
}

func newTrace() (id [16]byte) {
	for id == [16]byte{} {
		binary.BigEndian.PutUint64(id[:8], rand.Uint64())
		binary.BigEndian.PutUint64(id[8:], rand.Uint64())
	}
	return id
}

func newSpan() (id [8]byte) {
	for id == [8]byte{} {
		binary.BigEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}

// Parent returns the traceparent for the model server.
func (c *Context) Parent() string {
	parent := c.Asked
	if !c.Sampled && c.Caller != [8]byte{} { // no span of this name will be sent
		parent = c.Caller
	}
	b := make([]byte, 0, parentLength)
	b = append(b, "00-"...)
	b = append(hex.AppendEncode(b, c.Trace[:]), '-')
	b = append(hex.AppendEncode(b, parent[:]), "-00"...)
	if c.Sampled {
		b[parentLength-1] = '0' + flagSampled
	}
	return string(b)
}
