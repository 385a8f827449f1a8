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

// Family is what noecho has to know of one API: where its answers keep text, and the
// few things that a table of places cannot say. Name and Request are required; the
// zero value of any other field is the default that it names. [NewFamily] makes one.
type Family struct {
	// Name is the name of the API in configuration and alerts.
	Name string

	// Rules say where text is in the messages of an answer.
	Rules []Rule
	// Anywhere has rules for members that no path leads to, wherever they occur. Path
	// is the name of the member, and Channel is empty.
	Anywhere []Rule
	// Unlisted is the role of strings without a rule: [Metadata], or [Text] for an API
	// whose answer may be anywhere.
	Unlisted Role
	// Choices is the name of the list of choices in the names of channels. Empty: each
	// message is about one choice.
	Choices string
	// KindMember is the member that says which kind a message is. Empty: type.
	KindMember string
	// Marks are members whose presence says it: the first one in a message is its kind.
	Marks []string
	// Done is the payload of the last message of a stream. Empty: there is none.
	Done string
	// Events are names that events of a stream have, besides the kinds of the rules.
	Events []string

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

	paths *paths // Rules and what is said of them, compiled
}

// NewFamily compiles the rules of a family and puts the defaults in their places. The
// family must not change afterwards; then it is safe for concurrent use. A rule that
// is not well-formed is a mistake of the family and panics.
func NewFamily(f Family) *Family {
	f.paths = compile(&f)
	if f.Framing == nil {
		f.Framing = func(contentType string, _ Request) Framing { return ByContentType(contentType) }
	}
	if f.Failure == nil {
		f.Failure = appendFailure
	}
	if f.StreamFailure == nil {
		f.StreamFailure = func(w *Writer, why Failure) {
			if _, plain := w.Framer.(*textFramer); plain {
				w.Message("", []byte(why.Message))
				return
			}
			w.Message(f.FailureEvent, f.Failure(nil, why))
		}
	}
	if f.Ending == nil {
		f.Ending = func() Ending { return failureEnding{&f} }
	}
	return &f
}

// Repeats reports whether texts come more than once: their channels have to be
// remembered from their beginning.
func (f *Family) Repeats() bool { return f.paths.repeats }

// appendFailure appends an error body that many clients understand.
func appendFailure(dst []byte, why Failure) []byte {
	dst = AppendEscaped(append(dst, `{"error":{"message":"`...), []byte(why.Message))
	dst = AppendEscaped(append(dst, `","type":"invalid_request_error","code":"`...), []byte(why.Code))
	return append(dst, `"}}`...)
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
		e.family.StreamFailure(w, Withheld)
	}
}
