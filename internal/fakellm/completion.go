package fakellm

import (
	"iter"
	"unicode/utf8"
)

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
func (g *generation) completionStream() iter.Seq[event] {
	out := g.completion()
	if g.req.StreamOptions.IncludeUsage {
		out.Usage = literal("null")
	}
	return func(yield func(event) bool) {
		offsets := make([]int, g.req.choices())
		for i, p := range turns(g.choices()) {
			c, ok := g.textPart(i, p, &offsets[i])
			if !ok {
				continue
			}
			out.Choices = []any{c}
			if !yield(event{data: encode(out)}) {
				return
			}
		}
		if g.req.StreamOptions.IncludeUsage {
			out.Choices, out.Usage = []any{}, g.usage()
			if !yield(event{data: encode(out)}) {
				return
			}
		}
		yield(done)
	}
}

func (g *generation) completion() answer {
	return answer{ID: completionID, Object: "text_completion", Created: created, Model: g.req.Model}
}

// textPart turns a part into a choice. A completion has content and nothing
// else; an echo of the prompt stands where a chat names the role. offset counts
// the characters of the choice so far.
func (g *generation) textPart(index int, p part, offset *int) (textChoice, bool) {
	c := textChoice{Index: index, Text: literal(`""`)}
	switch p.kind {
	case partRole:
		if !g.req.Echo {
			return c, false
		}
		p.text = g.req.prompts[index/(g.req.choices()/len(g.req.prompts))]
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
func (g *generation) completionBody() []byte {
	out := g.completion()
	out.Choices = []any{}
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
				text = append(text, g.req.prompts[i/(g.req.choices()/len(g.req.prompts))]...)
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
