// Package wire reads and writes the answers of model APIs: it cuts a body into
// messages, finds the text in a message, cuts a piece of text out of a message without
// changing any other byte, and writes the end of an answer.
//
// A [Family] describes one API; package api has them all. No family needs a complete
// schema, because a string without a rule is still found, as text of a channel that is
// named by its path.
//
// The package decides nothing. It knows neither words nor indexes nor HTTP, and imports
// no other package of noecho.
package wire

import "errors"

// ErrUnscannable is matched by the error for a message whose text cannot be found with
// certainty. The caller decides whether such a message may leave.
var ErrUnscannable = errors.New("message cannot be scanned")

// ErrRequest is matched by the errors of [Family].Request.
var ErrRequest = errors.New("request is not valid")

// Request is a request, as far as it matters for the answer. Texts are copies without
// escapes. Token ids, files and references have no text here and are left out.
type Request struct {
	Model     string
	Stream    bool
	Usage     bool     // its stream ends with the numbers of tokens
	N         int      // number of answers that the request asks for, at least 1
	Schema    bool     // the text of the answer is JSON
	IDs       bool     // the answer has token ids beside its text
	Blind     bool     // the answer has tokens and no text
	Coded     bool     // some of the prompt is token ids or embeddings, which show no text
	Stored    bool     // some of the prompt is kept by the server
	Stops     bool     // the caller names sequences, or a grammar, that end the answer
	Ambiguous bool     // the name of a member differs only in its case from one that decides; known of broken requests too
	Messages  [][]byte // one text for each message, prompt or tool description
	Tail      []byte   // the text that a completion continues byte by byte
	Suffix    []byte   // the text that follows the completion
}

// Ahead reports whether token ids may come before their text, or without it. With a
// stop sequence vLLM delays the text of a stream, but not the ids.
func (r *Request) Ahead() bool { return r.Blind || r.IDs && r.Stream }

// Failure is an error that noecho answers with, in the format of a family.
type Failure struct {
	Message string // for people: lower case, with a hint
	Code    string // "content_filter", "unscannable_content", …
	Status  int    // of the HTTP answer; 0 means 400
}

// Type is the type of the failure in the error bodies of OpenAI's API and those like it:
// api_error if the model server or noecho failed, else invalid_request_error.
func (f Failure) Type() string {
	if f.Status >= 500 || f.Code == "upstream_error" || f.Code == "proxy_stopping" {
		return "api_error"
	}
	return "invalid_request_error"
}

// Family describes one API: where its answers have text, and how they are framed, fail
// and end. Name and Request are required; every other field has a default for its zero
// value. [NewFamily] makes a family.
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
	// KindMember is the member whose text is the kind of a message. Empty: type.
	KindMember string
	// Marks are members whose presence is the kind: the kind of a message is the name
	// of the first one.
	Marks []string
	// Raw says that the model goes on with the tail of a request, byte by byte, and not with
	// a turn of its own.
	Raw bool
	// Silent says that a complete answer need not say why it ended.
	Silent bool
	// Same are paths by which messages repeat an object, and the path that names it, with #
	// for its number: a string without a rule that comes under several is one text.
	Same map[string]string
	// Events are names that events of a stream have, besides the kinds of the rules.
	Events []string

	// Request reads a request. path is that of its URL, as it was sent: some APIs
	// name the model there and ask there for a stream. Errors match [ErrRequest].
	Request func(path string, body []byte) (Request, error)
	// Framing returns the framing of an answer to r, from its Content-Type without
	// parameters, in lower case. nil: [ByContentType].
	Framing func(contentType string, r Request) Framing
	// Failure appends a JSON error body. nil: an object whose member error has message,
	// type and code.
	Failure func(dst []byte, f Failure) []byte
	// FailureHeader returns a header for the HTTP answer with an error body, for clients
	// that look there for the kind of the error. nil: there is none.
	FailureHeader func(f Failure) (name, value string)
	// FailureEvent is the name of the message that ends a stream with an error body,
	// in framings with names; see [Writer.Message]. Empty: it has no name.
	FailureEvent string
	// StreamFailure writes the messages that end a stream with an error. nil: one
	// message, whose payload is the error body.
	StreamFailure func(w *Writer, f Failure)
	// Ending returns the ending of one blocked stream. nil: the stream ends with an
	// error.
	Ending func() Ending
	// Record appends a record to write instead of payload, a record that is withheld.
	// It is required where Framing returns [Records].
	Record func(dst, payload []byte, f Failure) []byte

	paths *paths // the compiled rules
}

// NewFamily returns the family with its rules compiled and its defaults set. It must not
// change afterwards, and is safe for concurrent use. NewFamily panics if two rules are
// for one place.
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

// Repeats reports whether a message may repeat a text from its beginning, so that the
// reader has to remember its channels from theirs.
func (f *Family) Repeats() bool { return f.paths.repeats }

// appendFailure appends an error body that clients of many APIs understand.
func appendFailure(dst []byte, why Failure) []byte {
	dst = AppendEscaped(append(dst, `{"error":{"message":"`...), []byte(why.Message))
	dst = append(append(append(dst, `","type":"`...), why.Type()...), `","code":"`...)
	dst = AppendEscaped(dst, []byte(why.Code))
	return append(dst, `"}}`...)
}

// Ending follows the messages of one stream to the client, so that it can close the
// stream as the API closes one that its own filter stopped. Not safe for concurrent use.
type Ending interface {
	// Sent is told of every message that has left, as it left. payload is valid until
	// Sent returns.
	Sent(payload []byte)
	// Write writes the messages that close the open parts of the stream, and then the
	// stream. open lists the choices that have begun and not ended, ascending.
	Write(w *Writer, open []int32)
}

// Withheld is the failure for an answer that was blocked.
var Withheld = Failure{Message: "withheld: the answer would repeat training data", Code: "content_filter"}

// failureEnding ends a stream with an error, for APIs that cannot express that an answer
// was filtered. Plain text just ends.
type failureEnding struct{ family *Family }

// Sent implements [Ending].
func (failureEnding) Sent([]byte) {}

// Write implements [Ending].
func (e failureEnding) Write(w *Writer, _ []int32) {
	if _, plain := w.Framer.(*textFramer); !plain {
		e.family.StreamFailure(w, Withheld)
	}
}
