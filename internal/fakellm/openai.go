package fakellm

import (
	"fmt"
	"iter"
	"strings"
	"unicode/utf8"
)

// Values that a real server makes up for every answer are constant here: an answer
// depends on the request and the script alone, so two answers can be compared byte for
// byte.
const (
	chatID       = "chatcmpl-fake"
	completionID = "cmpl-fake"
	created      = 1700000000
	probability  = -0.125 // the logarithm of every token's
)

// answer writes a chat completion, one chunk of it, or a completion. A nil usage is left
// out.
func (g *generation) answer(id, object, choices string, usage literal) []byte {
	return complete(g.head(id, object), choices, usage)
}

// head writes the beginning of an answer, which is the same in all chunks of a stream.
func (g *generation) head(id, object string) string {
	return fmt.Sprintf(`{"id":"%s","object":"%s","created":%d,"model":%s,"choices":[`, id, object, created, encode(g.req.Model))
}

// complete writes an answer that begins with head.
func complete(head, choices string, usage literal) []byte {
	out := make([]byte, 0, len(head)+len(choices)+len(`],"usage":}`)+len(usage))
	out = append(append(append(out, head...), choices...), ']')
	if usage != nil {
		out = append(append(out, `,"usage":`...), usage...)
	}
	return append(out, '}')
}

// chunks yields the messages of a stream: one for each part of which chunk makes a
// choice, the usage if it was asked for, and [DONE].
func (g *generation) chunks(id, object string, chunk func(i int, p part) string) iter.Seq[event] {
	usage := literal(nil)
	if g.req.StreamOptions.IncludeUsage {
		usage = null
	}
	head := g.head(id, object)
	return func(yield func(event) bool) {
		for i, p := range turns(g.choices()) {
			c := chunk(i, p)
			if c != "" && !yield(event{data: complete(head, c, usage)}) {
				return
			}
		}
		if usage != nil && !yield(event{data: complete(head, "", g.usage())}) {
			return
		}
		yield(done)
	}
}

// chatStream returns the messages of a streamed chat answer.
func chatStream(g *generation) iter.Seq[event] {
	return g.chunks(chatID, "chat.completion.chunk", g.chatDelta)
}

func (g *generation) chatDelta(index int, p part) string {
	var delta []byte
	finish, probs := null, null
	if p.kind != partRole && p.kind != partFinish && p.kind != partCall {
		g.spoken++
	}
	switch p.kind {
	case partRole:
		delta = []byte(`"role":"assistant","content":""`)
	case partReasoning:
		delta = g.reasoning(p.text)
	case partContent:
		delta, probs = jsonf(`"content":%s`, g.quote(p.text)), g.probabilities(p)
	case partRefusal:
		delta, probs = jsonf(`"refusal":%s`, g.quote(p.text)), g.probabilities(p)
	case partCall:
		delta = jsonf(`"tool_calls":[{"index":%d,"id":"call_%d_%d","type":"function","function":{"name":%s,"arguments":""}}]`, p.tool, index, p.tool, encode(p.text))
	case partArgs:
		delta = jsonf(`"tool_calls":[{"index":%d,"function":{"arguments":%s}}]`, p.tool, g.quote(p.text))
	case partFinish:
		finish = encode(p.text)
	}
	return fmt.Sprintf(`{"index":%d,"delta":{%s},"logprobs":%s,"finish_reason":%s}`, index, delta, probs, finish)
}

// reasoning writes the members that contain reasoning, as the script names them.
func (g *generation) reasoning(text string) []byte {
	member := func(name string) []byte { return jsonf(`"%s":%s`, name, g.quote(text)) }
	switch as := g.script.ReasoningAs; as {
	case "":
		return member("reasoning_content")
	case "both":
		return append(append(member("reasoning_content"), ','), member("reasoning")...)
	default:
		return member(as)
	}
}

// probabilities writes the probabilities of pieces of content and refusal, or null if
// they were not asked for.
func (g *generation) probabilities(pieces ...part) literal {
	top := g.req.top()
	if top < 0 || len(pieces) == 0 {
		return null
	}
	lists := map[partKind][]string{}
	for _, p := range pieces {
		var all []string
		for _, alt := range alternatives(p.text, top) {
			all = append(all, g.token(alt)+"}")
		}
		entry := g.token(p.text)
		if top > 0 {
			entry += `,"top_logprobs":[` + strings.Join(all, ",") + "]"
		}
		lists[p.kind] = append(lists[p.kind], entry+"}")
	}
	list := func(kind partKind) string {
		if lists[kind] == nil {
			return "null"
		}
		return "[" + strings.Join(lists[kind], ",") + "]"
	}
	return jsonf(`{"content":%s,"refusal":%s}`, list(partContent), list(partRefusal))
}

// token writes the probability of a piece of text, without the closing brace.
func (g *generation) token(text string) string {
	return fmt.Sprintf(`{"token":%s,"logprob":%v,"bytes":%s`, g.quote(text), probability, strings.ReplaceAll(fmt.Sprint([]byte(text)), " ", ","))
}

// alternatives returns n texts that are named beside a piece of text. The first one is the
// piece itself.
func alternatives(text string, n int) []string {
	var all []string
	for i := range n {
		if i > 0 {
			text = fmt.Sprint("~", i)
		}
		all = append(all, text)
	}
	return all
}

// chatBody returns a chat answer in one piece.
func chatBody(g *generation) []byte {
	var choices []string
	for i := range g.req.choices() {
		choices = append(choices, g.chatChoice(i))
	}
	return g.answer(chatID, "chat.completion", strings.Join(choices, ","), g.usage())
}

func (g *generation) chatChoice(index int) string {
	s := g.speech(index)
	content, refusal, more := null, null, ""
	if s.content != "" || len(s.calls) == 0 && s.refusal == "" {
		content = g.quote(s.content)
	}
	if s.refusal != "" {
		refusal = g.quote(s.refusal)
	}
	if s.reasoning != "" {
		more = "," + string(g.reasoning(s.reasoning))
	}
	if calls := g.items(speech{calls: s.calls}, "", "", func(i int, c ToolCall) []byte {
		return jsonf(`{"id":"call_%d_%d","type":"function","function":{"name":%s,"arguments":%s}}`, index, i, encode(c.Name), g.quote(c.Arguments))
	}); calls != "" {
		more += `,"tool_calls":[` + calls + "]"
	}
	return fmt.Sprintf(`{"index":%d,"message":{"role":"assistant","content":%s,"refusal":%s%s},"logprobs":%s,"finish_reason":%s}`,
		index, content, refusal, more, g.probabilities(s.pieces...), encode(s.finish))
}

// completionStream returns the messages of a streamed completion.
func completionStream(g *generation) iter.Seq[event] {
	offsets := make([]int, g.req.choices()) // characters of each choice so far
	return g.chunks(completionID, "text_completion", func(i int, p part) string {
		if p.kind == partFinish {
			return g.textChoice(i, 0, encode(p.text))
		}
		text, ok := g.textPiece(i, p)
		if !ok {
			return ""
		}
		offset := offsets[i]
		offsets[i] += utf8.RuneCountInString(text)
		return g.textChoice(i, offset, null, text)
	})
}

// completionBody returns a completion in one piece.
func completionBody(g *generation) []byte {
	var choices []string
	for i, parts := range g.choices() {
		var pieces []string
		finish := ""
		for p := range parts {
			if text, ok := g.textPiece(i, p); ok {
				pieces = append(pieces, text)
			} else if p.kind == partFinish {
				finish = p.text
			}
		}
		choices = append(choices, g.textChoice(i, 0, encode(finish), pieces...))
	}
	return g.answer(completionID, "text_completion", strings.Join(choices, ","), g.usage())
}

// textPiece returns the text that a part adds to a completion. A completion has content
// and nothing else; the echo of the prompt is sent where a chat sends the role.
func (g *generation) textPiece(index int, p part) (text string, ok bool) {
	switch {
	case p.kind == partContent:
		g.spoken++
		return p.text, true
	case p.kind == partRole && g.req.Echo:
		return g.req.prompts[index/(g.req.choices()/len(g.req.prompts))], true
	default:
		return "", false
	}
}

// textChoice writes one choice of a completion, streamed or not, whose pieces begin at an
// offset in characters. In a stream finish is null until the end. The probabilities are
// parallel lists, and the alternatives of a piece are the keys of an object.
func (g *generation) textChoice(index, offset int, finish literal, pieces ...string) string {
	var tokens, probs, tops, offsets []string
	whole, top := g.quote(strings.Join(pieces, "")), g.req.top()
	if top < 0 { // no probabilities were asked for
		pieces = nil
	}
	for _, text := range pieces {
		var all []string
		for _, alt := range alternatives(text, top) {
			all = append(all, fmt.Sprintf("%s:%v", g.quote(alt), probability))
		}
		tokens, probs = append(tokens, string(g.quote(text))), append(probs, fmt.Sprint(probability))
		tops, offsets = append(tops, "{"+strings.Join(all, ",")+"}"), append(offsets, fmt.Sprint(offset))
		offset += utf8.RuneCountInString(text)
	}
	logprobs := null
	if len(pieces) > 0 {
		logprobs = jsonf(`{"tokens":[%s],"token_logprobs":[%s],"top_logprobs":[%s],"text_offset":[%s]}`,
			strings.Join(tokens, ","), strings.Join(probs, ","), strings.Join(tops, ","), strings.Join(offsets, ","))
	}
	return fmt.Sprintf(`{"text":%s,"index":%d,"logprobs":%s,"finish_reason":%s}`, whole, index, logprobs, finish)
}
