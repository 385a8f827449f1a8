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
	Messages [][]byte // one text for each message, prompt or tool description
	Tail     []byte   // the text that a completion continues byte by byte
	Suffix   []byte   // the text that follows the completion
}

// Failure is a refusal in the words of a family.
type Failure struct {
	Message string // lower case, says what to do
	Code    string // "content_filter", "unscannable_content", …
}

// Family is the codec of one API: a table of places and the few things a table
// cannot say. Values are immutable and safe for concurrent use.
type Family interface {
	// Name is the name of the API in configuration and alerts.
	Name() string
	// Request reads a request body. Errors match [ErrRequest].
	Request(body []byte) (Request, error)
	// Paths is where text stands in the family's answers.
	Paths() *Paths
	// AppendFailure appends a JSON error body. In a stream the framing wraps
	// it into a message.
	AppendFailure(dst []byte, f Failure) []byte
	// AppendFiltered appends the messages that end a stream whose open choices
	// were filtered. last is the payload of the last message that left; its
	// envelope is used again.
	AppendFiltered(dst []byte, fr Framer, last []byte, open []int32) []byte
}

// ByName returns the family with the given name.
func ByName(name string) (Family, bool) {
	switch name {
	case Chat{}.Name():
		return Chat{}, true
	case Completions{}.Name():
		return Completions{}, true
	}
	return nil, false
}
