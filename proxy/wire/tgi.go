package wire

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// TGI is the API of Text Generation Inference. A stream is a list of tokens,
// the last of which comes with all of the text; an answer in one piece is an
// object or, on some paths, a list of one.
//
// Tokens that end or shape an answer are no text of it: the text that comes last
// goes without them, and so they are a channel of their own.
type TGI struct{ Generate }

// tgiRules is the table of TGI's answers. The samples of best_of are read as
// alternatives: each is a text.
func tgiRules() []Rule {
	rules := []Rule{
		{When: "token", Role: Begin},
		{When: "generated_text", Role: Begin},
		{Path: "token.id", Role: Drop, With: "0"},
		{Path: "token.text", Role: Text, Name: "text", Form: Reply},
		{Path: "token.special", Role: Discriminator, Name: "special"},
		{Path: "error_type", Role: NoText},
	}
	rules = append(rules, tgiTokens("", "")...)
	for _, at := range []string{"", "[#]."} {
		details := at + "details."
		rules = append(rules,
			Rule{Path: at + "generated_text", Role: Final, Name: "text", Form: Reply},
			Rule{Path: details + "finish_reason", Role: End, With: `"stop_sequence"`},
			Rule{Path: details + "best_of_sequences[@].generated_text", Role: Text, Name: "best_of_sequences.#.text", Form: Reply},
			Rule{Path: details + "best_of_sequences[@].finish_reason", Role: NoText},
		)
		rules = append(rules, tgiTokens(details, "")...)
		rules = append(rules, tgiTokens(details+"best_of_sequences[@].", "best_of_sequences.")...)
	}
	return rules
}

// tgiTokens are the lists of tokens in an object: those of the prompt, those
// of the text, and the alternatives of each. In a message of a stream the
// alternatives are those of its one token.
func tgiTokens(at, name string) []Rule {
	top := "top_tokens[][@].text"
	if at == "" {
		top = "top_tokens[@].text"
	}
	rules := []Rule{
		{Path: at + "top_tokens", Role: Drop, With: `[]`},
		{Path: at + top, Role: Token, Name: name + "top_tokens.#"},
	}
	if at == "" {
		return rules
	}
	return append(rules,
		Rule{Path: at + "prefill", Role: Drop, With: `[]`},
		Rule{Path: at + "prefill[].text", Role: Token, Name: name + "prefill"},
		Rule{Path: at + "tokens", Role: Drop, With: `[]`},
		Rule{Path: at + "tokens[].text", Role: Token, Name: name + "tokens"},
	)
}

// Name implements [Family].
func (TGI) Name() string { return "tgi" }

// NewEnding implements [Family].
func (TGI) NewEnding() Ending { return &tgiEnding{} }

// appendTGIFailure appends an error as TGI writes it, in a body and in a stream.
func appendTGIFailure(dst []byte, f Failure) []byte {
	dst = append(dst, `{"error":"`...)
	dst = AppendEscaped(dst, []byte(f.Message))
	dst = append(dst, `","error_type":"`...)
	dst = AppendEscaped(dst, []byte(f.Code))
	return append(dst, `"}`...)
}

// tgiEnding ends a stream with a token without text, behind which all of the
// text that has left stands. TGI knows no ending for what was filtered.
type tgiEnding struct {
	seen    bool // a token has left
	over    bool // the last one has
	last    int64
	tokens  int64
	text    []byte
	tooLong bool // the text is: it is not said once more
}

// Sent implements [Ending].
func (e *tgiEnding) Sent(payload []byte) {
	_ = eachMember(payload, func(name string, v jsontext.Value) error { // what is broken is left out
		switch name {
		case "index":
			e.last = int64(numberOf(v))
		case "token":
			e.token(v)
		case "generated_text":
			e.over = e.over || v.Kind() == '"'
		}
		return nil
	})
}

// token takes note of a token that has left.
func (e *tgiEnding) token(v jsontext.Value) {
	e.seen = true
	e.tokens++
	var text []byte
	special := false
	_ = eachMember(v, func(name string, v jsontext.Value) error { // what is broken is left out
		switch name {
		case "text":
			text = stringOf(v)
		case "special":
			special = v.Kind() == 't'
		}
		return nil
	})
	if special {
		return
	}
	if e.tooLong = e.tooLong || len(e.text)+len(text) > maxLastText; !e.tooLong {
		e.text = append(e.text, text...)
	}
}

// Write implements [Ending].
func (e *tgiEnding) Write(w *Writer, _ []int32) {
	if e.over {
		return
	}
	p := append(strconv.AppendInt([]byte(`{"index":`), e.last+1, 10), `,"token":{"id":0,"text":"","logprob":0,"special":true},"generated_text":`...)
	if e.tooLong {
		p = append(p, "null"...)
	} else {
		p = append(AppendEscaped(append(p, '"'), e.text), '"')
	}
	p = append(p, `,"details":{"finish_reason":"stop_sequence","generated_tokens":`...)
	p = append(strconv.AppendInt(p, e.tokens, 10), `,"seed":null}}`...)
	w.Message("", p)
}

var _ Family = TGI{}
