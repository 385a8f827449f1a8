package proxy

import (
	"errors"
	"fmt"

	"noecho/ngram"
	"noecho/proxy/config"
	"noecho/proxy/detect"
	"noecho/proxy/wire"
)

// errEnded is matched by the errors that say that noecho itself ended the
// answer. What was appended to dst ends the body legally: send it, close the
// upstream with an error and end the client's body cleanly.
var errEnded = errors.New("answer ended by noecho")

// Why noecho ended an answer.
var (
	errBlocked = fmt.Errorf("%w: it would repeat training data", errEnded)
	errRefused = fmt.Errorf("%w: it cannot be scanned", errEnded)
)

// action is what was done about a finding.
type action uint8

// The actions, named as in an alert.
const (
	observed action = iota
	redacted
	blocked
	echoed
)

// String returns the action's name in an alert.
func (a action) String() string {
	return [...]string{"observed", "redacted", "blocked", "echo"}[a]
}

// finding is one closed finding of an answer.
type finding struct {
	Channel string // "choices.0.content"
	Finding *detect.Finding
	Action  action
}

// relayConfig is how one answer is judged. Family, Set and Spec are required.
type relayConfig struct {
	Family    wire.Family
	Request   wire.Request
	Framing   wire.Framing // of the answer, from its content type
	Status    int          // of the answer; 0 means 200
	Mode      config.Mode
	Unscanned config.Unscanned
	Set       detect.Set
	Spec      ngram.Spec
	Detect    detect.Config
	Mask      string        // empty means nothing is put in the place of a span
	Report    func(finding) // called once for each closed finding; may be nil
}

// relayCounts says what became of the bytes of an answer. Once the relay has
// ended, Scanned + Passed + Refused is exactly what it was given.
type relayCounts struct {
	Scanned  int64 // bytes of messages whose text was judged
	Passed   int64 // bytes forwarded unscanned, as the route allows
	Refused  int64 // bytes neither scanned nor forwarded
	Messages int64 // messages read
	Held     int   // messages that wait for a decision now
	Findings int64 // closed findings, echoes included
}

// relay reads an answer as it arrives and yields what may leave. It is made
// for one answer and is not safe for concurrent use.
type relay struct {
	cfg    relayConfig
	counts relayCounts
}

// newRelay returns a relay for one answer.
func newRelay(cfg relayConfig) *relay { return &relay{cfg: cfg} }

// Append reads p, the next bytes of a streamed body after content decoding,
// and appends to dst what may leave. An error matches errEnded; afterwards
// only Counts may be called.
func (r *relay) Append(dst, p []byte) ([]byte, error) { return dst, errRefused }

// Finish ends a streamed body at a clean end of the upstream and appends what
// was still held. An error matches errEnded.
func (r *relay) Finish(dst []byte) ([]byte, error) { return dst, errRefused }

// Abort ends a streamed body because the upstream broke: nothing undecided
// leaves, and an error event is appended where the protocol has one.
func (r *relay) Abort(dst []byte) []byte { return dst }

// Whole judges an unstreamed body and appends what the caller gets instead.
// Status 0 keeps the upstream's status; 400 comes with the family's error body
// and an error that matches errEnded.
func (r *relay) Whole(dst, body []byte) (out []byte, status int, err error) {
	return dst, 400, errRefused
}

// Counts returns the figures so far.
func (r *relay) Counts() relayCounts { return r.counts }
