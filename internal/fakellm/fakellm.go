// Package fakellm is a model server without a model: it speaks the protocols of the
// usual model APIs over a real socket and recites the texts of a script, cut, paced,
// compressed and broken as a test needs.
//
// It knows the public protocols and nothing of noecho, so that a test that runs through
// it compares two independent readings of a protocol.
package fakellm

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Config says which script a server recites in answer to which request.
type Config struct {
	Models  map[string]Script `json:"models,omitempty"`  // by the request's model
	Prompts []Prompt          `json:"prompts,omitempty"` // the first that matches, before Models
	Default *Script           `json:"default,omitempty"` // for every other request; nil: model not found

	// Segment is the number of bytes of one write to the socket, headers
	// included. 0: as they come.
	Segment int `json:"segment,omitempty"`

	// OnEnd is called when a generation has ended, from its own goroutine.
	OnEnd func(Exchange) `json:"-"`
}

// Prompt chooses a script by the text of a request.
type Prompt struct {
	Contains string `json:"contains"` // in the last message, or in the prompt
	Script   Script `json:"script"`
}

// Script is an answer and the way to send it. The zero value is an empty answer.
type Script struct {
	Choices  []Choice `json:"choices,omitempty"` // choice i of a request says Choices[i % len]
	Chunking Chunking `json:"chunking,omitzero"`
	Escape   Escape   `json:"escape,omitempty"`
	Pace     Duration `json:"pace,omitempty"`     // before every message
	Encoding string   `json:"encoding,omitempty"` // gzip, deflate, deflate-raw, br or zstd, used even if the client does not accept it
	Slice    int      `json:"slice,omitempty"`    // bytes of body sent at a time; 0: a whole message
	Giant    int64    `json:"giant,omitempty"`    // bytes without a space that follow the content of choice 0
	Fault    Fault    `json:"fault,omitzero"`

	// ReasoningAs names the member that carries reasoning: reasoning_content
	// (the default), reasoning, or both.
	ReasoningAs string `json:"reasoning_as,omitempty"`
}

// Choice is the content of one choice, in the order of its members.
type Choice struct {
	Reasoning string     `json:"reasoning,omitempty"`
	Content   string     `json:"content,omitempty"`
	Refusal   string     `json:"refusal,omitempty"`
	ToolCalls []ToolCall `json:"tool_calls,omitempty"`
	Finish    string     `json:"finish,omitempty"` // default: stop, or tool_calls
}

// ToolCall is one call of a function.
type ToolCall struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"` // usually JSON
}

// Unit is the kind of piece that a text is cut into.
type Unit string

// The units. A token is a piece of a word with the space before it. UTF-16 code
// units cut characters beyond the basic plane in two, as some servers do.
const (
	Whole  Unit = ""
	Words  Unit = "words"
	Tokens Unit = "tokens"
	Chars  Unit = "chars"
	UTF16  Unit = "utf16"
)

// Chunking cuts a text into the pieces of a stream.
type Chunking struct {
	Unit Unit   `json:"unit,omitempty"`
	Size int    `json:"size,omitempty"` // units in a piece; for tokens: bytes; 0 means 1, for tokens 4
	Seed uint64 `json:"seed,omitempty"` // if set: pieces of 1 to Size units, drawn from it
}

// Escape says which characters the server escapes in JSON.
type Escape string

// The ways to escape.
const (
	EscapeLeast Escape = ""      // those that JSON demands
	EscapeASCII Escape = "ascii" // those that are not ASCII, too
	EscapeAll   Escape = "all"   // every character
)

// Fault is an error of the server, after After messages. A message is one event of a
// stream; for an answer in one piece After does not count and the fault is in its
// middle.
type Fault struct {
	Kind   FaultKind `json:"kind,omitempty"`
	After  int       `json:"after,omitempty"`
	Status int       `json:"status,omitempty"` // for FaultStatus; 0 means 500
}

// FaultKind is the kind of an error.
type FaultKind string

// The faults.
const (
	NoFault      FaultKind = ""
	FaultCut     FaultKind = "cut"     // the connection breaks
	FaultShort   FaultKind = "short"   // the body ends cleanly, without finish reason or [DONE]
	FaultGarbage FaultKind = "garbage" // one message is not JSON; a stream then goes on
	FaultError   FaultKind = "error"   // an error event ends the stream; a body is that error
	FaultSilent  FaultKind = "silent"  // nothing more comes until the client closes the connection
	FaultStatus  FaultKind = "status"  // an error status instead of an answer
)

// Exchange is one generation that has ended.
type Exchange struct {
	Path     string
	Header   http.Header
	Body     []byte // of the request
	Messages int    // sent
	Complete bool   // the whole script was sent
}

// Duration is a time.Duration that JSON writes like "20ms".
type Duration time.Duration

// MarshalText implements [encoding.TextMarshaler].
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// Say is a script of one choice with one text, in words.
func Say(text string) Script {
	return Script{Choices: []Choice{{Content: text}}, Chunking: Chunking{Unit: Words}}
}

// check returns an error for the first invalid value of the configuration.
func (c *Config) check() error {
	f := func(where string, s *Script) error {
		switch {
		case !slices.Contains([]Unit{Whole, Words, Tokens, Chars, UTF16}, s.Chunking.Unit):
			return fmt.Errorf("%s: unit %q is not known", where, s.Chunking.Unit)
		case !slices.Contains([]Escape{EscapeLeast, EscapeASCII, EscapeAll}, s.Escape):
			return fmt.Errorf("%s: escape %q is not known", where, s.Escape)
		case !slices.Contains([]string{"", "gzip", "deflate", "deflate-raw", "br", "zstd"}, s.Encoding):
			return fmt.Errorf("%s: encoding %q is not known", where, s.Encoding)
		case !slices.Contains([]FaultKind{NoFault, FaultCut, FaultShort, FaultGarbage, FaultError, FaultSilent, FaultStatus}, s.Fault.Kind):
			return fmt.Errorf("%s: fault %q is not known", where, s.Fault.Kind)
		case !slices.Contains([]string{"", "reasoning_content", "reasoning", "both"}, s.ReasoningAs):
			return fmt.Errorf("%s: reasoning as %q is not known", where, s.ReasoningAs)
		case s.Chunking.Size < 0 || s.Slice < 0 || s.Giant < 0 || s.Pace < 0:
			return fmt.Errorf("%s: a size is negative", where)
		}
		return nil
	}
	for name, s := range c.Models {
		if err := f("model "+name, &s); err != nil {
			return err
		}
	}
	for _, p := range c.Prompts {
		if err := f("prompt "+p.Contains, &p.Script); err != nil {
			return err
		}
	}
	if c.Default != nil {
		return f("default", c.Default)
	}
	return nil
}

// script chooses the script for a request.
func (c *Config) script(model, prompt string) (Script, bool) {
	for _, p := range c.Prompts {
		if strings.Contains(prompt, p.Contains) {
			return p.Script, true
		}
	}
	if s, ok := c.Models[model]; ok {
		return s, true
	}
	if c.Default != nil {
		return *c.Default, true
	}
	return Script{}, false
}
