package wire

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// SGLang is the native API of SGLang. Each message of a stream holds all of a
// text as far as it has come, or only what is new if the server was started so.
// The answer to several prompts is a list; in a stream each message then says
// in index whose it is.
type SGLang struct{ Generate }

// sglangRules is the table of SGLang's answers. Log probabilities are triples
// of a number, a token's id and its text.
func sglangRules() []Rule {
	rules := []Rule{
		{When: "meta_info", Path: "index", Role: ChoiceNumber},
		{Path: "[#].index", Role: ElementNumber},
	}
	for _, at := range []string{"", "[#]."} {
		meta := at + "meta_info."
		rules = append(rules,
			Rule{Path: at + "text", Role: Cumulative, Name: "text", Form: Reply},
			Rule{Path: at + "output_ids", Role: Drop, With: `[]`},
			Rule{Path: at + "hidden_states", Role: Drop},
			Rule{Path: meta + "id", Role: NoText},
			Rule{Path: meta + "weight_version", Role: NoText},
			Rule{Path: meta + "finish_reason", Role: End, With: `"content_filter"`},
			Rule{Path: meta + "finish_reason.type", Role: End, With: `"content_filter"`},
			Rule{Path: meta + "hidden_states", Role: Drop},
			Rule{Path: meta + "routed_experts", Role: Skip},
		)
		for _, of := range []string{"input", "output"} {
			rules = append(rules,
				Rule{Path: meta + of + "_token_logprobs", Role: Drop, With: `[]`},
				Rule{Path: meta + of + "_token_logprobs[][]", Role: Token, Name: of + "_token_logprobs"},
			)
			for _, list := range []string{of + "_top_logprobs", of + "_token_ids_logprobs"} {
				rules = append(rules,
					Rule{Path: meta + list, Role: Drop, With: `[]`},
					Rule{Path: meta + list + "[][@][]", Role: Token, Name: list + ".#"},
				)
			}
		}
	}
	return rules
}

// Name implements [Family].
func (SGLang) Name() string { return "sglang.generate" }

// AppendFailure implements [Family].
func (SGLang) AppendFailure(dst []byte, f Failure) []byte { return appendOpenAIFailure(dst, f) }

// Fail implements [Family].
func (s SGLang) Fail(w *Writer, f Failure) { w.Message("", s.AppendFailure(nil, f)) }

// NewEnding implements [Family].
func (SGLang) NewEnding() Ending { return &sglangEnding{} }

// sglangEnding ends every open answer with a message of its own and then the
// stream. A client reads the last message of an answer, so its text stands
// there once more; where messages hold what is new, none does.
type sglangEnding struct {
	seen    bool
	numbers bool // messages have an index
	pieces  bool // messages hold what is new
	kept    int  // bytes of answers
	answers map[int32]*sglangAnswer
}

// sglangAnswer is what the last message of an answer said.
type sglangAnswer struct {
	text []byte
	meta []byte // members of meta_info, each followed by a comma
}

// Sent implements [Ending].
func (e *sglangEnding) Sent(payload []byte) {
	number, seen := int32(0), false
	var next sglangAnswer
	_ = eachMember(payload, func(name string, v jsontext.Value) error { // what is broken is left out
		switch name {
		case "index":
			number, e.numbers = numberOf(v), true
		case "text":
			next.text = stringOf(v)
		case "meta_info":
			seen, next.meta = true, plainMembers(v)
		}
		return nil
	})
	if !seen {
		return
	}
	e.seen = true
	if e.answers == nil {
		e.answers = map[int32]*sglangAnswer{}
	}
	last := e.answers[number]
	if last == nil {
		last = &sglangAnswer{}
		e.answers[number] = last
	}
	e.pieces = e.pieces || !bytes.HasPrefix(next.text, last.text)
	e.kept += len(next.text) + len(next.meta) - len(last.text) - len(last.meta)
	if e.kept > maxLastText {
		e.kept -= len(next.text) + len(next.meta)
		next = sglangAnswer{}
	}
	*last = next
}

// plainMembers returns the members of an object that are numbers or one word.
func plainMembers(v jsontext.Value) []byte {
	var out []byte
	_ = eachMember(v, func(name string, v jsontext.Value) error { // what is broken is left out
		v = bytes.TrimSpace(v)
		word := len(v) > 2 && v.Kind() == '"' && identifier(v[1:len(v)-1]) && (name == "id" || name == "weight_version")
		if plainName([]byte(name)) && (v.Kind() == '0' || word) {
			out = append(append(append(append(out, '"'), name...), `":`...), v...)
			out = append(out, ',')
		}
		return nil
	})
	return out
}

// Write implements [Ending].
func (e *sglangEnding) Write(w *Writer, open []int32) {
	for _, number := range open {
		last := e.answers[number]
		if last == nil {
			last = &sglangAnswer{}
		}
		p := []byte(`{"text":"`)
		if !e.pieces {
			p = AppendEscaped(p, last.text)
		}
		p = append(append(p, `","output_ids":[],"meta_info":{`...), last.meta...)
		p = append(p, `"finish_reason":{"type":"content_filter"}}`...)
		if e.numbers {
			p = strconv.AppendInt(append(p, `,"index":`...), int64(number), 10)
		}
		w.Message("", append(p, '}'))
	}
	w.Message("", []byte(openAIDone))
}

var _ Family = SGLang{}
