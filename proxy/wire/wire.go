// Package wire knows where each model API keeps text: how its messages are
// framed, which strings of a message belong to which text channel, how a piece
// of text is cut out of a message without disturbing another byte, and how an
// answer ends or fails in the words of that API.
//
// It never models a schema: what it does not know it reports as text of a
// channel of its own. It decides nothing, knows neither words nor indexes nor
// HTTP, and imports nothing of noecho.
package wire

import "errors"

// ErrUnscannable is matched by every error that says that the text of a
// message cannot be told for certain. What happens then is the caller's
// policy.
var ErrUnscannable = errors.New("message cannot be scanned")

// ErrRequest is matched by the errors of [Family.Request].
var ErrRequest = errors.New("request is not valid")

// Request is what a request says about the answer to come. Texts are unescaped
// copies. Token ids, files and references show no text and are left out.
type Request struct {
	Model    string
	Stream   bool
	N        int      // answers asked for, at least 1
	Schema   bool     // the answer's text is itself JSON
	IDs      bool     // the answer holds token ids beside its text
	Blind    bool     // the answer holds tokens and no text
	Messages [][]byte // one text for each message, prompt or tool description
	Tail     []byte   // the text that a completion continues byte by byte
	Suffix   []byte   // the text that follows the completion
}

// Ahead reports whether token ids may come before the text that they spell, or
// without it. With a stop sequence vLLM holds the text of a stream back, but not
// its ids.
func (r *Request) Ahead() bool { return r.Blind || r.IDs && r.Stream }

// Failure is a refusal in the words of a family.
type Failure struct {
	Message string // lower case, says what to do
	Code    string // "content_filter", "unscannable_content", …
	Status  int    // of the HTTP answer it is the body of; 0 means 400
}

// Family is the codec of one API: a table of places and the few things a table
// cannot say. Values are immutable and safe for concurrent use.
type Family interface {
	// Name is the name of the API in configuration and alerts.
	Name() string
	// Request reads a request. path is that of its URL, as it was sent: some
	// APIs name the model there and ask there for a stream. Errors match
	// [ErrRequest].
	Request(path string, body []byte) (Request, error)
	// Framing tells how an answer to r is cut into messages, from its
	// Content-Type without parameters, in lower case. [ByContentType] fits
	// most families.
	Framing(contentType string, r Request) Framing
	// Paths is where text stands in the family's answers.
	Paths() *Paths
	// AppendFailure appends a JSON error body.
	AppendFailure(dst []byte, f Failure) []byte
	// Fail writes the message that ends a stream with an error.
	Fail(w *Writer, f Failure)
	// NewEnding returns what ends a stream that was filtered. It belongs to
	// one answer.
	NewEnding() Ending
}

// FailureHeader is a [Family] whose clients look for the kind of an error in
// the head of an HTTP answer.
type FailureHeader interface {
	// FailureHeader returns the header that goes with the body of a failure.
	FailureHeader(f Failure) (name, value string)
}

// Ending follows the messages of one stream to the caller, so that it can end
// the stream as the API ends one that was filtered. Not safe for concurrent
// use.
type Ending interface {
	// Sent takes note of a message that has left, as it left. payload is valid
	// until Sent returns.
	Sent(payload []byte)
	// Write writes the messages that close what is open, and the stream. open
	// lists the choices that have begun and not ended, ascending.
	Write(w *Writer, open []int32)
}
