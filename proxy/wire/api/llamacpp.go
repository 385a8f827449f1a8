package api

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// llamaCPP is the native completion API of llama.cpp: /completion, /infill and
// /completions. Servers that follow OpenAI use the last path too. Their messages have
// choices, and are read like those of [completions].
//
// The answer to several prompts, or with several samples, is a list. In a stream each
// message then has the number of its answer in index. A client may ask for some members
// only, so any member may be missing.
var llamaCPP = wire.NewFamily(wire.Family{
	Name: "llamacpp.completion", Raw: true, Request: llamaRequest, Failure: llamaFailure, Silent: true,
	Ending:  func() wire.Ending { return &llamaEnding{choices: openAIEnding{text: `"text":""`}} },
	Choices: "choices",
	Marks:   []string{"choices"},
	Rules:   append(completionsRules(), llamaRules()...),
})

// llamaRules is the table of the native answers. The names of probabilities have
// changed over time.
func llamaRules() []wire.Rule {
	rules := []wire.Rule{
		wire.NoText("index").For("choices"),
		wire.ChoiceNumber("index"),
		wire.ElementNumber("[#].index"),
		wire.NoText("[#].model"),
	}
	for _, at := range []string{"", "[#]."} {
		probs := at + "completion_probabilities"
		rules = append(rules,
			wire.TextAt(at+"content", "content").As(wire.Reply),
			wire.DropWhenWithheld(at+"tokens").Else(`[]`),
			wire.EndReason(at+"stop_type", `"word"`),
			wire.DropWhenWithheld(probs).Else(`[]`),
			wire.TokensAt(probs+"[].token", "probabilities"),
			wire.TokensAt(probs+"[].bytes", "probabilities.bytes").As(wire.Bytes),
			wire.TokensAt(probs+"[].content", "probabilities.content"),
			wire.TokensAt(probs+"[].probs[@].tok_str", "probabilities.probs.#"),
		)
		for _, top := range []string{"top_logprobs", "top_probs"} {
			rules = append(rules,
				wire.TokensAt(probs+"[]."+top+"[@].token", "probabilities."+top+".#"),
				wire.TokensAt(probs+"[]."+top+"[@].bytes", "probabilities."+top+".#.bytes").As(wire.Bytes),
			)
		}
	}
	return rules
}

// llamaRequest reads a request. The model fills the gap between two texts: input_prefix
// with the prompt behind it, and input_suffix.
func llamaRequest(_ string, body []byte) (wire.Request, error) {
	var prefix []byte
	r, err := readRequest(body, func(r *request, name string, v jsontext.Value) error {
		switch {
		case r.common(name, v):
		case name == "n_cmpl":
			r.common("n", v)
		case name == "prompt":
			llamaPrompt(r, v)
		case name == "input_prefix":
			prefix = llamaGap(r, v)
		case name == "input_suffix", name == "suffix":
			r.Suffix = llamaGap(r, v)
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
	return r, err
}

// llamaGap reads one of the texts around a gap, and returns it if it is a string.
func llamaGap(r *request, v jsontext.Value) []byte {
	tail := r.Tail
	llamaPrompt(r, v)
	r.Tail = tail
	return stringOf(v)
}

// llamaPrompt reads a prompt: a string, token ids, both mixed, several of them,
// or an object with a string and media.
func llamaPrompt(r *request, v jsontext.Value) {
	switch v.Kind() {
	case '[':
		_ = validElements(v, func(v jsontext.Value) error { // v is valid
			llamaPrompt(r, v)
			return nil
		})
	case '{':
		_ = validMembers(v, func(name string, v jsontext.Value) error { // v is valid
			if name == "prompt_string" || name == "tokens" {
				r.prompt(v)
			}
			return nil
		})
	default:
		r.prompt(v)
	}
}

// tokensAlone reports whether the members that a caller picks from an answer include
// its tokens, but not its text.
func tokensAlone(fields jsontext.Value) bool {
	tokens, content := false, false
	_ = validElements(fields, func(v jsontext.Value) error { // v is valid
		name, _, _ := strings.Cut(string(stringOf(v)), "/")
		content = content || name == "content"
		tokens = tokens || name == "tokens" || name == "completion_probabilities"
		return nil
	})
	return tokens && !content
}

// llamaFailure appends an error body of llama.cpp.
func llamaFailure(dst []byte, f wire.Failure) []byte {
	status := f.Status
	if status == 0 {
		status = 400
	}
	return fill(dst, `{"error":{"code":%s,"message":"%s","type":"%s"}}`, strconv.Itoa(status), f.Message, f.Code)
}

// llamaEnding ends every open answer with a message that stops it. A stream whose
// messages have choices ends as OpenAI's do.
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
