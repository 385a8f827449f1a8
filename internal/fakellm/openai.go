package fakellm

import (
	"iter"
	"strconv"
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

// answer is a chat completion, one chunk of it, or a completion.
type answer struct {
	ID      string  `json:"id"`
	Object  string  `json:"object"`
	Created int64   `json:"created"`
	Model   string  `json:"model"`
	Choices []any   `json:"choices"`
	Usage   literal `json:"usage,omitempty"`
}

type chatDelta struct {
	Index        int     `json:"index"`
	Delta        delta   `json:"delta"`
	Logprobs     *tokens `json:"logprobs"`
	FinishReason *string `json:"finish_reason"`
}

type delta struct {
	Role             string     `json:"role,omitempty"`
	Content          literal    `json:"content,omitempty"`
	ReasoningContent literal    `json:"reasoning_content,omitempty"`
	Reasoning        literal    `json:"reasoning,omitempty"`
	Refusal          literal    `json:"refusal,omitempty"`
	ToolCalls        []toolCall `json:"tool_calls,omitempty"`
}

type toolCall struct {
	Index    *int    `json:"index,omitempty"` // in streams only
	ID       string  `json:"id,omitempty"`
	Type     string  `json:"type,omitempty"`
	Function toolUse `json:"function"`
}

type toolUse struct {
	Name      string  `json:"name,omitempty"`
	Arguments literal `json:"arguments"`
}

type chatChoice struct {
	Index        int     `json:"index"`
	Message      reply   `json:"message"`
	Logprobs     *tokens `json:"logprobs"`
	FinishReason string  `json:"finish_reason"`
}

type reply struct {
	Role             string     `json:"role"`
	Content          literal    `json:"content"`
	Refusal          literal    `json:"refusal"`
	ReasoningContent literal    `json:"reasoning_content,omitempty"`
	Reasoning        literal    `json:"reasoning,omitempty"`
	ToolCalls        []toolCall `json:"tool_calls,omitempty"`
}

// tokens are the probabilities of a chat answer.
type tokens struct {
	Content []entry `json:"content"`
	Refusal []entry `json:"refusal"`
}

type entry struct {
	Token   literal `json:"token"`
	Logprob float64 `json:"logprob"`
	Bytes   []int   `json:"bytes"`
	Top     []entry `json:"top_logprobs,omitempty"`
}

// logprob is the entry of one piece of text with top alternatives.
func logprob(text string, e Escape, top int) entry {
	one := func(text string) entry {
		t := entry{Token: quote(text, e), Logprob: probability}
		for _, b := range []byte(text) {
			t.Bytes = append(t.Bytes, int(b))
		}
		return t
	}
	t := one(text)
	for i := range top {
		alt := text
		if i > 0 {
			alt = "~" + strconv.Itoa(i)
		}
		t.Top = append(t.Top, one(alt))
	}
	return t
}

// answer returns an answer without choices.
func (g *generation) answer(id, object string) answer {
	return answer{ID: id, Object: object, Created: created, Model: g.req.Model, Choices: []any{}}
}

// chunks yields the messages of a stream: one for each part of which chunk makes a
// choice, the usage if it was asked for, and [DONE].
func (g *generation) chunks(out answer, chunk func(i int, p part) (choice any, ok bool)) iter.Seq[event] {
	usage := g.req.StreamOptions.IncludeUsage
	if usage {
		out.Usage = literal("null")
	}
	return func(yield func(event) bool) {
		for i, p := range turns(g.choices()) {
			c, ok := chunk(i, p)
			if !ok {
				continue
			}
			out.Choices = []any{c}
			if !yield(event{data: encode(out)}) {
				return
			}
		}
		if usage {
			out.Choices, out.Usage = []any{}, g.usage()
			if !yield(event{data: encode(out)}) {
				return
			}
		}
		yield(done)
	}
}

// chatStream returns the messages of a streamed chat answer.
func chatStream(g *generation) iter.Seq[event] {
	return g.chunks(g.answer(chatID, "chat.completion.chunk"), func(i int, p part) (any, bool) { return g.chatDelta(i, p), true })
}

func (g *generation) chatDelta(index int, p part) chatDelta {
	c := chatDelta{Index: index}
	text := g.quote(p.text)
	if p.kind != partRole && p.kind != partFinish && p.kind != partCall {
		g.spoken++
	}
	switch p.kind {
	case partRole:
		c.Delta.Role, c.Delta.Content = "assistant", literal(`""`)
	case partReasoning:
		c.Delta.ReasoningContent, c.Delta.Reasoning = g.reasoning(text)
	case partContent:
		c.Delta.Content = text
		c.Logprobs = g.probabilities(p)
	case partRefusal:
		c.Delta.Refusal = text
		c.Logprobs = g.probabilities(p)
	case partCall:
		c.Delta.ToolCalls = []toolCall{{Index: &p.tool, ID: callID(index, p.tool), Type: "function", Function: toolUse{Name: p.text, Arguments: literal(`""`)}}}
	case partArgs:
		c.Delta.ToolCalls = []toolCall{{Index: &p.tool, Function: toolUse{Arguments: text}}}
	case partFinish:
		c.FinishReason = &p.text
	}
	return c
}

// reasoning puts the text into the members that the script names.
func (g *generation) reasoning(text literal) (asContent, plain literal) {
	switch g.script.ReasoningAs {
	case "reasoning":
		return nil, text
	case "both":
		return text, text
	default:
		return text, nil
	}
}

func (g *generation) probabilities(p part) *tokens {
	top := g.req.top()
	if top < 0 {
		return nil
	}
	one := []entry{logprob(p.text, g.script.Escape, top)}
	if p.kind == partRefusal {
		return &tokens{Refusal: one}
	}
	return &tokens{Content: one}
}

func callID(choice, tool int) string {
	return "call_" + strconv.Itoa(choice) + "_" + strconv.Itoa(tool)
}

// chatBody returns a chat answer in one piece.
func chatBody(g *generation) []byte {
	out := g.answer(chatID, "chat.completion")
	for i, c := range g.choices() {
		out.Choices = append(out.Choices, g.chatChoice(i, c))
	}
	out.Usage = g.usage()
	return encode(out)
}

func (g *generation) chatChoice(index int, parts iter.Seq[part]) chatChoice {
	text := map[partKind][]byte{}
	var args [][]byte
	var probs *tokens
	c := chatChoice{Index: index, Message: reply{Role: "assistant", Content: literal("null"), Refusal: literal("null")}}
	for p := range parts {
		text[p.kind] = append(text[p.kind], p.text...)
		switch p.kind {
		case partContent, partRefusal:
			probs = probs.join(g.probabilities(p))
		case partCall:
			c.Message.ToolCalls = append(c.Message.ToolCalls, toolCall{ID: callID(index, p.tool), Type: "function", Function: toolUse{Name: p.text}})
			args = append(args, nil)
			continue
		case partArgs:
			args[p.tool] = append(args[p.tool], p.text...)
		case partRole, partFinish:
			continue
		}
		g.spoken++
	}
	c.Logprobs, c.FinishReason = probs, string(text[partFinish])
	if s := string(text[partContent]); s != "" || len(args) == 0 && len(text[partRefusal]) == 0 {
		c.Message.Content = g.quote(s)
	}
	if s := string(text[partRefusal]); s != "" {
		c.Message.Refusal = g.quote(s)
	}
	if s := string(text[partReasoning]); s != "" {
		c.Message.ReasoningContent, c.Message.Reasoning = g.reasoning(g.quote(s))
	}
	for i, s := range args {
		c.Message.ToolCalls[i].Function.Arguments = g.quote(string(s))
	}
	return c
}

// join appends the entries of u.
func (t *tokens) join(u *tokens) *tokens {
	if t == nil || u == nil {
		return u
	}
	return &tokens{Content: append(t.Content, u.Content...), Refusal: append(t.Refusal, u.Refusal...)}
}

// textChoice is one choice of a completion, streamed or not. A stream has null
// for the reason until the end.
type textChoice struct {
	Text         literal   `json:"text"`
	Index        int       `json:"index"`
	Logprobs     *textProb `json:"logprobs"`
	FinishReason *string   `json:"finish_reason"`
}

// textProb are the probabilities of a completion: parallel lists, and one
// object per token whose keys are the alternatives.
type textProb struct {
	Tokens  []literal `json:"tokens"`
	Probs   []float64 `json:"token_logprobs"`
	Top     []literal `json:"top_logprobs"`
	Offsets []int     `json:"text_offset"` // in characters
}

// completionStream returns the messages of a streamed completion.
func completionStream(g *generation) iter.Seq[event] {
	offsets := make([]int, g.req.choices())
	return g.chunks(g.answer(completionID, "text_completion"), func(i int, p part) (any, bool) { return g.textPart(i, p, &offsets[i]) })
}

// textPart turns a part into a choice. A completion has content and nothing else; the
// echo of the prompt is sent where a chat sends the role. offset counts the characters
// of the choice so far.
func (g *generation) textPart(index int, p part, offset *int) (textChoice, bool) {
	c := textChoice{Index: index, Text: literal(`""`)}
	switch p.kind {
	case partRole:
		if !g.req.Echo {
			return c, false
		}
		p.text = g.prompt(index)
	case partContent:
		g.spoken++
	case partFinish:
		c.FinishReason = &p.text
		return c, true
	default:
		return c, false
	}
	c.Text = g.quote(p.text)
	if top := g.req.top(); top >= 0 {
		c.Logprobs = g.textProb(p.text, *offset, top)
	}
	*offset += utf8.RuneCountInString(p.text)
	return c, true
}

// prompt is the prompt that a choice continues.
func (g *generation) prompt(choice int) string {
	return g.req.prompts[choice/(g.req.choices()/len(g.req.prompts))]
}

func (g *generation) textProb(text string, offset, top int) *textProb {
	var alternatives []byte
	for i, t := range logprob(text, g.script.Escape, top).Top {
		if i > 0 {
			alternatives = append(alternatives, ',')
		}
		alternatives = append(append(append(alternatives, t.Token...), ':'), encode(t.Logprob)...)
	}
	return &textProb{
		Tokens:  []literal{g.quote(text)},
		Probs:   []float64{probability},
		Top:     []literal{append(append(literal{'{'}, alternatives...), '}')},
		Offsets: []int{offset},
	}
}

// completionBody returns a completion in one piece.
func completionBody(g *generation) []byte {
	out := g.answer(completionID, "text_completion")
	for i, parts := range g.choices() {
		var text []byte
		var probs *textProb
		var offset int
		choice := textChoice{Index: i}
		for p := range parts {
			c, ok := g.textPart(i, p, &offset)
			if !ok {
				continue
			}
			switch p.kind {
			case partRole:
				text = append(text, g.prompt(i)...)
			case partContent:
				text = append(text, p.text...)
			}
			probs = probs.join(c.Logprobs)
			choice.FinishReason = c.FinishReason
		}
		choice.Text, choice.Logprobs = g.quote(string(text)), probs
		out.Choices = append(out.Choices, choice)
	}
	out.Usage = g.usage()
	return encode(out)
}

// join appends the entries of u.
func (t *textProb) join(u *textProb) *textProb {
	if t == nil || u == nil {
		if u == nil {
			return t
		}
		return u
	}
	t.Tokens = append(t.Tokens, u.Tokens...)
	t.Probs = append(t.Probs, u.Probs...)
	t.Top = append(t.Top, u.Top...)
	t.Offsets = append(t.Offsets, u.Offsets...)
	return t
}
