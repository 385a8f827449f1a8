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

// ErrRequest is matched by the errors of [Family].Request.
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

// Family is what noecho has to know of one API: a table of the places where its
// answers keep text, and the few things that a table cannot say. Name, Paths and
// Request are required; the zero value of any other field is the default that it
// names. A family is never changed once it is made, and its functions are safe for
// concurrent use.
type Family struct {
	// Name is the name of the API in configuration and alerts.
	Name string
	// Paths is the table of places, compiled.
	Paths *Paths
	// Request reads a request. path is that of its URL, as it was sent: some APIs
	// name the model there and ask there for a stream. Errors match [ErrRequest].
	Request func(path string, body []byte) (Request, error)
	// Framing tells how an answer to r is cut into messages, from its Content-Type
	// without parameters, in lower case. nil: [ByContentType].
	Framing func(contentType string, r Request) Framing
	// Failure appends a JSON error body. nil: an object with a member error, in
	// which message, type and code are.
	Failure func(dst []byte, f Failure) []byte
	// FailureHeader returns a header of the HTTP answer that carries an error body,
	// for clients that look there for its kind. nil: there is none.
	FailureHeader func(f Failure) (name, value string)
	// FailureEvent is the name of the message that ends a stream with an error body,
	// in framings with names; see [Writer.Message]. Empty: it has none.
	FailureEvent string
	// StreamFailure writes the messages that end a stream with an error. nil: one
	// message, whose payload is the error body.
	StreamFailure func(w *Writer, f Failure)
	// Ending returns what ends a stream that is blocked. It belongs to one answer.
	// nil: the stream ends with an error.
	Ending func() Ending
	// Record appends a record in the place of one that is withheld. It is for
	// answers that are lists of answers, in the framing [Records]. nil: the API has
	// none.
	Record func(dst, payload []byte, f Failure) []byte
}

// FramingOf returns the framing of an answer to r.
func (f *Family) FramingOf(contentType string, r Request) Framing {
	if f.Framing == nil {
		return ByContentType(contentType)
	}
	return f.Framing(contentType, r)
}

// AppendFailure appends a JSON error body.
func (f *Family) AppendFailure(dst []byte, why Failure) []byte {
	if f.Failure != nil {
		return f.Failure(dst, why)
	}
	dst = AppendEscaped(append(dst, `{"error":{"message":"`...), []byte(why.Message))
	dst = AppendEscaped(append(dst, `","type":"invalid_request_error","code":"`...), []byte(why.Code))
	return append(dst, `"}}`...)
}

// Fail writes what ends a stream with an error.
func (f *Family) Fail(w *Writer, why Failure) {
	_, plain := w.Framer.(*textFramer)
	switch {
	case f.StreamFailure != nil:
		f.StreamFailure(w, why)
	case plain:
		w.Message("", []byte(why.Message))
	default:
		w.Message(f.FailureEvent, f.AppendFailure(nil, why))
	}
}

// NewEnding returns what ends a stream that is blocked.
func (f *Family) NewEnding() Ending {
	if f.Ending == nil {
		return failureEnding{f}
	}
	return f.Ending()
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

// Withheld is the failure that says that an answer was blocked.
var Withheld = Failure{Message: "withheld: the answer would repeat training data", Code: "content_filter"}

// failureEnding ends a stream with an error, for APIs that have no word for an
// answer that was filtered. Plain text just ends.
type failureEnding struct{ family *Family }

// Sent implements [Ending].
func (failureEnding) Sent([]byte) {}

// Write implements [Ending].
func (e failureEnding) Write(w *Writer, _ []int32) {
	if _, plain := w.Framer.(*textFramer); !plain {
		e.family.Fail(w, Withheld)
	}
}
