package api

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// LlamaCPP is the native completion API of llama.cpp: /completion, /infill and
// /completions. Servers of the OpenAI kind claim the last path too; their
// messages have choices, and are read as those of [Completions].
//
// The answer to several prompts, or in several samples, is a list; in a stream
// each message says in index whose it is. A client may ask for some members
// only, so none is taken for granted.
type LlamaCPP struct{}

var llamaPaths = wire.NewPaths(wire.Table{
	Choices: "choices",
	Marks:   []string{"choices"},
	Done:    openAIDone,
	Rules:   append(completionsRules(), llamaRules()...),
})

// llamaRules is the table of the native answers. What probabilities are called
// has changed over time.
func llamaRules() []wire.Rule {
	rules := []wire.Rule{
		{When: "choices", Path: "index", Role: wire.NoText},
		{Path: "index", Role: wire.ChoiceNumber},
		{Path: "[#].index", Role: wire.ElementNumber},
		{Path: "[#].model", Role: wire.NoText},
	}
	for _, at := range []string{"", "[#]."} {
		probs := at + "completion_probabilities"
		rules = append(rules,
			wire.Rule{Path: at + "content", Role: wire.Text, Name: "content", Form: wire.Reply},
			wire.Rule{Path: at + "tokens", Role: wire.Drop, With: `[]`},
			wire.Rule{Path: at + "stop_type", Role: wire.End, With: `"word"`},
			wire.Rule{Path: probs, Role: wire.Drop, With: `[]`},
			wire.Rule{Path: probs + "[].token", Role: wire.Token, Name: "probabilities"},
			wire.Rule{Path: probs + "[].bytes", Role: wire.Token, Name: "probabilities.bytes", Form: wire.Bytes},
			wire.Rule{Path: probs + "[].content", Role: wire.Token, Name: "probabilities.content"},
			wire.Rule{Path: probs + "[].probs[@].tok_str", Role: wire.Token, Name: "probabilities.probs.#"},
		)
		for _, top := range []string{"top_logprobs", "top_probs"} {
			rules = append(rules,
				wire.Rule{Path: probs + "[]." + top + "[@].token", Role: wire.Token, Name: "probabilities." + top + ".#"},
				wire.Rule{Path: probs + "[]." + top + "[@].bytes", Role: wire.Token, Name: "probabilities." + top + ".#.bytes", Form: wire.Bytes},
			)
		}
	}
	return rules
}

// Name implements [Family].
func (LlamaCPP) Name() string { return "llamacpp.completion" }

// Paths implements [Family].
func (LlamaCPP) Paths() *wire.Paths { return llamaPaths }

// Request implements [Family]. What is to be filled in stands between
// input_prefix with the prompt behind it, and input_suffix.
func (LlamaCPP) Request(_ string, body []byte) (wire.Request, error) {
	r := request{wire.Request{N: 1}}
	var prefix []byte
	err := readRequest(body, func(name string, v jsontext.Value) error {
		switch {
		case r.common(name, v):
		case name == "n_cmpl":
			r.common("n", v)
		case name == "prompt":
			r.llamaPrompt(v)
		case name == "input_prefix":
			prefix = stringOf(v)
			r.visible(v)
		case name == "input_suffix", name == "suffix":
			r.Suffix = stringOf(v)
			r.visible(v)
		case name == "grammar":
			r.Schema = r.Schema || len(stringOf(v)) > 0
			r.visible(v)
		case name == "response_fields":
			r.Blind = r.Blind || tokensAlone(v)
			r.visible(v)
		case !holdsMedia(name):
			r.visible(v)
		}
		return nil
	})
	if len(prefix) > 0 {
		r.Tail = append(prefix, r.Tail...)
	}
	return r.Request, err
}

// llamaPrompt reads a prompt: a string, token ids, both mixed, several of them,
// or an object with a string and media.
func (r *request) llamaPrompt(v jsontext.Value) {
	switch v.Kind() {
	case '[':
		_ = eachElement(v, func(v jsontext.Value) error { // v is valid
			r.llamaPrompt(v)
			return nil
		})
	case '{':
		_ = eachMember(v, func(name string, v jsontext.Value) error { // v is valid
			if name == "prompt_string" {
				r.prompt(v)
			}
			return nil
		})
	default:
		r.prompt(v)
	}
}

// tokensAlone reports whether the members that a caller picks from an answer
// hold its tokens, but not its text.
func tokensAlone(fields jsontext.Value) bool {
	tokens, content := false, false
	_ = eachElement(fields, func(v jsontext.Value) error { // v is valid
		name, _, _ := strings.Cut(string(stringOf(v)), "/")
		content = content || name == "content"
		tokens = tokens || name == "tokens" || name == "completion_probabilities"
		return nil
	})
	return tokens && !content
}

// Framing implements [Family].
func (LlamaCPP) Framing(contentType string, _ wire.Request) wire.Framing {
	return wire.ByContentType(contentType)
}

// AppendFailure implements [Family].
func (LlamaCPP) AppendFailure(dst []byte, f wire.Failure) []byte {
	status := f.Status
	if status == 0 {
		status = 400
	}
	dst = strconv.AppendInt(append(dst, `{"error":{"code":`...), int64(status), 10)
	dst = wire.AppendEscaped(append(dst, `,"message":"`...), []byte(f.Message))
	dst = wire.AppendEscaped(append(dst, `","type":"`...), []byte(f.Code))
	return append(dst, `"}}`...)
}

// Fail implements [Family].
func (l LlamaCPP) Fail(w *wire.Writer, f wire.Failure) { w.Message("", l.AppendFailure(nil, f)) }

// NewEnding implements [Family].
func (LlamaCPP) NewEnding() wire.Ending {
	return &llamaEnding{choices: openAIEnding{text: `"text":""`}}
}

// llamaEnding ends every open answer with a message that stops it. Where
// messages have choices it ends the stream as OpenAI does.
type llamaEnding struct {
	members members
	choices openAIEnding
	openAI  bool
}

// Sent implements [Ending].
func (e *llamaEnding) Sent(payload []byte) {
	for e.members.open(payload); e.members.next(); {
		e.openAI = e.openAI || string(e.members.name) == "choices"
	}
	if e.openAI {
		e.choices.Sent(payload)
	}
}

// Write implements [Ending].
func (e *llamaEnding) Write(w *wire.Writer, open []int32) {
	if e.openAI {
		e.choices.Write(w, open)
		return
	}
	for _, number := range open {
		p := strconv.AppendInt([]byte(`{"index":`), int64(number), 10)
		w.Message("", append(p, `,"content":"","tokens":[],"stop":true,"stop_type":"word","stopping_word":""}`...))
	}
}

var _ wire.Family = LlamaCPP{}
