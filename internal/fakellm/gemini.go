package fakellm

import (
	"iter"
	"strings"
)

// geminiStop says in Gemini's words why an answer ended.
func geminiStop(finish string) string {
	if finish == "length" {
		return "MAX_TOKENS"
	}
	return "STOP"
}

// geminiAnswer is one answer, or one message of a stream: they look the same.
func geminiAnswer(g *generation, parts []string, finish string) []byte {
	out := jsonf(`{"candidates":[{"content":{"parts":[%s],"role":"model"},"index":0`, strings.Join(parts, ","))
	if finish != "" {
		out = append(out, jsonf(`,"finishReason":"%s"`, finish)...)
	}
	in := g.req.words()
	return append(out, jsonf(`}],"usageMetadata":{"promptTokenCount":%d,"candidatesTokenCount":%d,"totalTokenCount":%d},"modelVersion":%s,"responseId":"fake"}`,
		in, g.spoken, in+g.spoken, g.quote(g.req.Model))...)
}

func geminiText(g *generation, text string) string {
	return string(jsonf(`{"text":%s}`, g.quote(text)))
}

func geminiThink(g *generation, text string) string {
	return string(jsonf(`{"text":%s,"thought":true}`, g.quote(text)))
}

func geminiCall(g *generation, c ToolCall) string {
	return string(jsonf(`{"functionCall":{"name":%s,"args":%s}}`, g.quote(c.Name), g.object(c.Arguments)))
}

// geminiStream returns the messages of a streamed answer. A call comes whole.
func geminiStream(g *generation) iter.Seq[event] {
	var calls []ToolCall
	return g.stream(func(p part, send func(string, []byte)) {
		switch p.kind {
		case partReasoning:
			send("", geminiAnswer(g, []string{geminiThink(g, p.text)}, ""))
		case partContent, partRefusal:
			send("", geminiAnswer(g, []string{geminiText(g, p.text)}, ""))
		case partCall:
			calls = append(calls, ToolCall{Name: p.text})
		case partArgs:
			calls[p.tool].Arguments += p.text
		case partFinish:
			var parts []string
			for _, c := range calls {
				parts = append(parts, geminiCall(g, c))
			}
			if len(parts) == 0 {
				parts = []string{geminiText(g, "")}
			}
			send("", geminiAnswer(g, parts, geminiStop(p.text)))
		case partRole:
		}
	})
}

// geminiBody returns an answer in one piece.
func geminiBody(g *generation) []byte {
	s := g.whole()
	var parts []string
	if s.reasoning != "" {
		parts = append(parts, geminiThink(g, s.reasoning))
	}
	if text := s.content + s.refusal; text != "" {
		parts = append(parts, geminiText(g, text))
	}
	for _, c := range s.calls {
		parts = append(parts, geminiCall(g, c))
	}
	return geminiAnswer(g, parts, geminiStop(s.finish))
}
