package api

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// generate is what model servers answer on /generate. Text Generation
// Inference, SGLang and vLLM's demo server claim that path, and their answers
// tell them apart: the places of one do not stand in those of another. So there
// is one table for all of them, and no need to say which server it is.
//
// The demo server writes a line for each step with every sample's text from the
// prompt on, and gives its streams no content type.
var generate = wire.NewFamily(wire.Family{
	Name: "generate", Request: generateRequest, Framing: streamedLines, Failure: tgiFailure,
	Ending:  func() wire.Ending { return &generateEnding{} },
	Choices: "choices", Marks: generateMarks, Done: openAIDone, Rules: generateRules(),
})

// generateMarks are the members that tell the messages of one server from those of
// another.
var generateMarks = []string{"token", "generated_text", "meta_info"}

// generateRules are the tables of all servers that answer on this path.
func generateRules() []wire.Rule {
	return slices.Concat(tgiRules(), sglangRules(), []wire.Rule{
		wire.CumulativeAt("text[#]", "text").As(wire.Reply),
	})
}

// generateRequest: Of several prompts the last is the tail.
func generateRequest(_ string, body []byte) (wire.Request, error) {
	return readRequest(body, func(r *request, name string, v jsontext.Value) error {
		generateMember(r, name, v)
		return nil
	})
}

// generateMember reads a member of a request to /generate: TGI calls the prompt
// inputs, SGLang text, vLLM prompt.
func generateMember(r *request, name string, v jsontext.Value) {
	switch {
	case r.common(name, v):
	case name == "inputs", name == "text", name == "prompt":
		r.prompt(v)
	case name == "parameters":
		generateSampling(r, v)
	case name == "sampling_params" && v.Kind() == '[':
		_ = eachElement(v, func(v jsontext.Value) error { // v is valid
			generateSampling(r, v)
			return nil
		})
	case name == "sampling_params":
		generateSampling(r, v)
	case !holdsMedia(name):
		r.visible(v)
	}
}

// generateSampling reads the object that says how to sample.
func generateSampling(r *request, v jsontext.Value) {
	_ = eachMember(v, func(name string, v jsontext.Value) error { // v is valid
		switch name {
		case "best_of":
			r.common("n", v)
		case "grammar":
			r.Schema = r.Schema || wantsJSON(v)
			r.visible(v)
		default:
			if !r.common(name, v) {
				r.visible(v)
			}
		}
		return nil
	})
}

// holdsMedia reports whether a member of a request holds images, sound or
// numbers that stand for text.
func holdsMedia(name string) bool {
	switch name {
	case "images", "image_data", "audio_data", "video_data", "multimodal_data", "input_embeds", "prompt_embeds":
		return true
	}
	return false
}

// streamedLines is the framing of servers that stream lines: what a request
// that asks for a stream gets, unless its content type says better.
func streamedLines(contentType string, r wire.Request) wire.Framing {
	if f := wire.ByContentType(contentType); f != wire.JSON || contentType == "application/json" || !r.Stream {
		return f
	}
	return wire.Lines
}

// generateEnding ends a stream as the server would whose messages it has seen.
// A line of the demo server has no end to announce: its stream just stops.
type generateEnding struct {
	tgi    tgiEnding
	sglang sglangEnding
}

// Sent implements [Ending].
func (e *generateEnding) Sent(payload []byte) {
	e.tgi.Sent(payload)
	e.sglang.Sent(payload)
}

// Write implements [Ending].
func (e *generateEnding) Write(w *wire.Writer, open []int32) {
	if e.tgi.seen {
		e.tgi.Write(w, open)
	}
	if e.sglang.seen {
		e.sglang.Write(w, open)
	}
}

// maxLastText is the number of bytes of an answer that an ending keeps, to say
// them once more.
const maxLastText = 1 << 20

// stringOf returns the text of a string, or nothing of any other value.
func stringOf(v jsontext.Value) []byte {
	if v.Kind() != '"' {
		return nil
	}
	return wire.AppendText(nil, v)
}

// numberOf returns a number that may stand for a choice, or 0.
func numberOf(v jsontext.Value) int32 {
	n, err := strconv.ParseInt(string(v), 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return int32(n)
}

// tgi is the API of Text Generation Inference. A stream is a list of tokens,
// the last of which comes with all of the text; an answer in one piece is an
// object or, on some paths, a list of one.
//
// Tokens that end or shape an answer are no text of it: the text that comes last
// goes without them, and so they are a channel of their own.
var tgi = wire.NewFamily(wire.Family{
	Name: "tgi", Request: generateRequest, Framing: streamedLines, Failure: tgiFailure,
	Ending:  func() wire.Ending { return &tgiEnding{} },
	Choices: "choices", Marks: generateMarks, Done: openAIDone, Rules: generateRules(),
})

// tgiRules is the table of TGI's answers. The samples of best_of are read as
// alternatives: each is a text.
func tgiRules() []wire.Rule {
	rules := []wire.Rule{
		wire.ChoiceMessage("token"),
		wire.ChoiceMessage("generated_text"),
		wire.DropWhenWithheld("token.id").Else("0"),
		wire.TextAt("token.text", "text").As(wire.Reply),
		wire.ChannelIfTrue("token.special", "special"),
		wire.NoText("error_type"),
	}
	rules = append(rules, tgiTokens("", "")...)
	for _, at := range []string{"", "[#]."} {
		details := at + "details."
		rules = append(rules,
			wire.FinalAt(at+"generated_text", "text").As(wire.Reply),
			wire.EndReason(details+"finish_reason", `"stop_sequence"`),
			wire.TextAt(details+"best_of_sequences[@].generated_text", "best_of_sequences.#.text").As(wire.Reply),
			wire.NoText(details+"best_of_sequences[@].finish_reason"),
		)
		rules = append(rules, tgiTokens(details, "")...)
		rules = append(rules, tgiTokens(details+"best_of_sequences[@].", "best_of_sequences.")...)
	}
	return rules
}

// tgiTokens are the lists of tokens in an object: those of the prompt, those
// of the text, and the alternatives of each. In a message of a stream the
// alternatives are those of its one token.
func tgiTokens(at, name string) []wire.Rule {
	top := "top_tokens[][@].text"
	if at == "" {
		top = "top_tokens[@].text"
	}
	rules := []wire.Rule{
		wire.DropWhenWithheld(at + "top_tokens").Else(`[]`),
		wire.TokensAt(at+top, name+"top_tokens.#"),
	}
	if at == "" {
		return rules
	}
	return append(rules,
		wire.DropWhenWithheld(at+"prefill").Else(`[]`),
		wire.TokensAt(at+"prefill[].text", name+"prefill"),
		wire.DropWhenWithheld(at+"tokens").Else(`[]`),
		wire.TokensAt(at+"tokens[].text", name+"tokens"),
	)
}

// tgiFailure appends an error as TGI writes it, in a body and in a stream.
func tgiFailure(dst []byte, f wire.Failure) []byte {
	dst = append(dst, `{"error":"`...)
	dst = wire.AppendEscaped(dst, []byte(f.Message))
	dst = append(dst, `","error_type":"`...)
	dst = wire.AppendEscaped(dst, []byte(f.Code))
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
func (e *tgiEnding) Write(w *wire.Writer, _ []int32) {
	if e.over {
		return
	}
	p := append(strconv.AppendInt([]byte(`{"index":`), e.last+1, 10), `,"token":{"id":0,"text":"","logprob":0,"special":true},"generated_text":`...)
	if e.tooLong {
		p = append(p, "null"...)
	} else {
		p = append(wire.AppendEscaped(append(p, '"'), e.text), '"')
	}
	p = append(p, `,"details":{"finish_reason":"stop_sequence","generated_tokens":`...)
	p = append(strconv.AppendInt(p, e.tokens, 10), `,"seed":null}}`...)
	w.Message("", p)
}

// sglang is the native API of SGLang. Each message of a stream holds all of a
// text as far as it has come, or only what is new if the server was started so.
// The answer to several prompts is a list; in a stream each message then says
// in index whose it is.
var sglang = wire.NewFamily(wire.Family{
	Name: "sglang.generate", Request: generateRequest, Framing: streamedLines, Failure: openAIFailure,
	Ending:  func() wire.Ending { return &sglangEnding{} },
	Choices: "choices", Marks: generateMarks, Done: openAIDone, Rules: generateRules(),
})

// sglangRules is the table of SGLang's answers. Log probabilities are triples
// of a number, a token's id and its text.
func sglangRules() []wire.Rule {
	rules := []wire.Rule{
		wire.ChoiceNumber("index").For("meta_info"),
		wire.ElementNumber("[#].index"),
	}
	for _, at := range []string{"", "[#]."} {
		meta := at + "meta_info."
		rules = append(rules,
			wire.CumulativeAt(at+"text", "text").As(wire.Reply),
			wire.DropWhenWithheld(at+"output_ids").Else(`[]`),
			wire.DropWhenWithheld(at+"hidden_states"),
			wire.NoText(meta+"id"),
			wire.NoText(meta+"weight_version"),
			wire.EndReason(meta+"finish_reason", `"content_filter"`),
			wire.EndReason(meta+"finish_reason.type", `"content_filter"`),
			wire.DropWhenWithheld(meta+"hidden_states"),
			wire.SkipAt(meta+"routed_experts"),
		)
		for _, of := range []string{"input", "output"} {
			rules = append(rules,
				wire.DropWhenWithheld(meta+of+"_token_logprobs").Else(`[]`),
				wire.TokensAt(meta+of+"_token_logprobs[][]", of+"_token_logprobs"),
			)
			for _, list := range []string{of + "_top_logprobs", of + "_token_ids_logprobs"} {
				rules = append(rules,
					wire.DropWhenWithheld(meta+list).Else(`[]`),
					wire.TokensAt(meta+list+"[][@][]", list+".#"),
				)
			}
		}
	}
	return rules
}

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
		word := len(v) > 2 && v.Kind() == '"' && wire.IsIdentifier(v[1:len(v)-1]) && (name == "id" || name == "weight_version")
		if wire.IsIdentifier([]byte(name)) && (v.Kind() == '0' || word) {
			out = append(append(append(append(out, '"'), name...), `":`...), v...)
			out = append(out, ',')
		}
		return nil
	})
	return out
}

// Write implements [Ending].
func (e *sglangEnding) Write(w *wire.Writer, open []int32) {
	for _, number := range open {
		last := e.answers[number]
		if last == nil {
			last = &sglangAnswer{}
		}
		p := []byte(`{"text":"`)
		if !e.pieces {
			p = wire.AppendEscaped(p, last.text)
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

// invocations is what containers answer on /invocations, the one path that
// Amazon SageMaker calls: a chat, a completion or TGI's native answer, as the
// request was. Their places differ, so one table reads all three.
var invocations = wire.NewFamily(wire.Family{
	Name: "invocations", Request: invocationsRequest, Failure: openAIFailure,
	Ending:  func() wire.Ending { return &invocationsEnding{openAI: openAIEnding{text: `"delta":{}`}} },
	Choices: "choices",
	Marks:   []string{"token", "generated_text"},
	Done:    openAIDone,
	Rules:   slices.Concat(chatRules(), completionRules(), tgiRules()),
})

// invocationsRequest:
func invocationsRequest(_ string, body []byte) (wire.Request, error) {
	return readRequest(body, func(r *request, name string, v jsontext.Value) error {
		switch name {
		case "messages":
			return r.conversation(v)
		case "suffix":
			r.Suffix = stringOf(v)
			r.visible(v)
		default:
			generateMember(r, name, v)
		}
		return nil
	})
}

// invocationsEnding ends a stream as the API would whose messages it has seen.
type invocationsEnding struct {
	tgi    tgiEnding
	openAI openAIEnding
}

// Sent implements [Ending].
func (e *invocationsEnding) Sent(payload []byte) {
	e.tgi.Sent(payload)
	if e.tgi.seen {
		return
	}
	e.openAI.Sent(payload)
	_ = eachMember(payload, func(name string, v jsontext.Value) error { // what is broken is left out
		if name != "choices" {
			return nil
		}
		return eachElement(v, func(v jsontext.Value) error {
			return eachMember(v, func(name string, _ jsontext.Value) error {
				switch name {
				case "delta":
					e.openAI.text = `"delta":{}`
				case "text":
					e.openAI.text = `"text":""`
				}
				return nil
			})
		})
	})
}

// Write implements [Ending].
func (e *invocationsEnding) Write(w *wire.Writer, open []int32) {
	if e.tgi.seen {
		e.tgi.Write(w, open)
		return
	}
	e.openAI.Write(w, open)
}
