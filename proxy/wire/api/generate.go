package api

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// generate is the answers of model servers on /generate. Text Generation Inference
// (TGI), SGLang and vLLM's demo server all use that path. No member of one server's
// answers occurs in those of another. So one table reads them all, and the
// configuration need not name the server.
//
// The demo server writes one line a step, with every sample's text from the prompt on.
// Its streams have no content type.
var generate = wire.NewFamily(wire.Family{
	Name: "generate", Raw: true, Request: generateRequest, Framing: streamedLines, Failure: tgiFailure, Silent: true,
	Ending:  func() wire.Ending { return &generateEnding{} },
	Choices: "choices", Marks: generateMarks, Rules: generateRules(),
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

// generateRequest reads a request. Of several prompts the last is the tail.
func generateRequest(_ string, body []byte) (wire.Request, error) {
	return readRequest(body, func(r *request, name string, v jsontext.Value) error {
		generateMember(r, name, v)
		return nil
	})
}

// generateMember reads a member of a request to /generate. The name of the prompt is
// inputs in TGI, text in SGLang, prompt in vLLM.
func generateMember(r *request, name string, v jsontext.Value) {
	switch {
	case r.common(name, v):
	case name == "inputs", name == "text", name == "prompt":
		r.prompt(v)
	case name == "parameters":
		generateSampling(r, v)
	case name == "sampling_params" && v.Kind() == '[':
		_ = validElements(v, func(v jsontext.Value) error { // v is valid
			generateSampling(r, v)
			return nil
		})
	case name == "sampling_params":
		generateSampling(r, v)
	case !holdsMedia(name):
		r.visible(v)
	}
}

// generateSampling reads the object with the sampling parameters.
func generateSampling(r *request, v jsontext.Value) {
	_ = validMembers(v, func(name string, v jsontext.Value) error { // v is valid
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

// holdsMedia reports whether a member of a request has images, sound or numbers in
// place of text.
func holdsMedia(name string) bool {
	switch name {
	case "images", "image_data", "audio_data", "video_data", "multimodal_data", "input_embeds", "prompt_embeds":
		return true
	}
	return false
}

// streamedLines is the framing of servers that stream lines. A request for a stream
// gets lines, unless the content type of the answer names another framing.
func streamedLines(contentType string, r wire.Request) wire.Framing {
	if f := wire.ByContentType(contentType); f != wire.JSON || contentType == "application/json" || !r.Stream {
		return f
	}
	return wire.Lines
}

// generateEnding ends a stream as the server does whose messages it has seen. The demo
// server's streams end without a last line.
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

// maxLastText is the most bytes of an answer that an ending keeps, in order to repeat
// them in its last message.
const maxLastText = 1 << 20

// numberOf returns a number that can be that of a choice, or 0.
func numberOf(v jsontext.Value) int32 {
	n, err := strconv.ParseInt(string(v), 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return int32(n)
}

// tgi is the API of Text Generation Inference. A stream is a list of tokens, and the
// last one comes with the whole text. An answer in one piece is an object or, on some
// paths, a list of one.
//
// Tokens that end or structure an answer are not in the whole text, so they are a
// channel of their own.
var tgi = wire.NewFamily(wire.Family{
	Name: "tgi", Raw: true, Request: generateRequest, Framing: streamedLines, Failure: tgiFailure, Silent: true,
	Ending:  func() wire.Ending { return &tgiEnding{} },
	Choices: "choices", Marks: generateMarks, Rules: generateRules(),
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
			wire.NoText(details+"best_of_sequences[@].finish_reason").Reason(),
		)
		rules = append(rules, tgiTokens(details, "")...)
		rules = append(rules, tgiTokens(details+"best_of_sequences[@].", "best_of_sequences.")...)
	}
	return rules
}

// tgiTokens are the lists of tokens in an object: those of the prompt, those of the
// text, and the alternatives of each. A message of a stream has one token and the
// alternatives of that token.
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
	return fill(dst, `{"error":"%s","error_type":"%s"}`, f.Message, f.Code)
}

// tgiEnding ends a stream with an empty token, together with the whole text that has
// left. TGI has no reason for filtered answers.
type tgiEnding struct {
	seen    bool // a token has left
	over    bool // the last token has left
	last    int64
	tokens  int64
	text    []byte
	tooLong bool // the text is too long to be repeated
}

// Sent implements [Ending].
func (e *tgiEnding) Sent(payload []byte) {
	_ = eachMember(payload, func(name string, v jsontext.Value) error { // members behind a syntax error are left out
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
	_ = eachMember(v, func(name string, v jsontext.Value) error { // members behind a syntax error are left out
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

// sglang is the native API of SGLang. Each message of a stream has the whole text so
// far or, if the server was started with that option, the new part only. The answer to
// several prompts is a list. In a stream each message then has the number of its prompt
// in index.
var sglang = wire.NewFamily(wire.Family{
	Name: "sglang.generate", Raw: true, Request: generateRequest, Framing: streamedLines, Failure: openAIFailure,
	Ending:  func() wire.Ending { return &sglangEnding{} },
	Choices: "choices", Marks: generateMarks, Rules: generateRules(),
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

// sglangEnding ends every open answer with a message of its own, and then the stream. A
// client reads the last message of an answer. So this message repeats the text, except
// in a stream whose messages have the new part only.
type sglangEnding struct {
	seen    bool
	numbers bool // messages have an index
	pieces  bool // messages have the new part of a text only
	kept    int  // bytes of answers
	answers map[int32]*sglangAnswer
}

// sglangAnswer is the text and the figures of the last message of an answer.
type sglangAnswer struct {
	text []byte
	meta []byte // members of meta_info, each followed by a comma
}

// Sent implements [Ending].
func (e *sglangEnding) Sent(payload []byte) {
	number, seen := int32(0), false
	var next sglangAnswer
	_ = eachMember(payload, func(name string, v jsontext.Value) error { // members behind a syntax error are left out
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
	_ = eachMember(v, func(name string, v jsontext.Value) error { // members behind a syntax error are left out
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
	w.Message("", []byte(wire.StreamEnd))
}

// invocations is the answers of containers on /invocations, the one path that Amazon
// SageMaker calls: a chat, a completion or TGI's native answer, depending on the
// request. Their places differ, so one table reads all three.
var invocations = wire.NewFamily(wire.Family{
	Name: "invocations", Request: invocationsRequest, Failure: openAIFailure, Silent: true,
	Ending:  func() wire.Ending { return &invocationsEnding{openAI: openAIEnding{text: `"delta":{}`}} },
	Choices: "choices",
	Marks:   []string{"token", "generated_text"},
	Rules:   slices.Concat(chatRules(), completionRules(), tgiRules()),
})

// invocationsRequest reads a request of any of the three APIs.
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

// invocationsEnding ends a stream as the API does whose messages it has seen.
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
	_ = eachMember(payload, func(name string, v jsontext.Value) error { // members behind a syntax error are left out
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
