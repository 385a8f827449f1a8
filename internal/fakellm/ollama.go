package fakellm

import "iter"

// ollamaLine is one line of an answer: of a chat or of a generation.
func ollamaLine(g *generation, content, thinking, calls string, rest string) []byte {
	const head = `{"model":%s,"created_at":"2023-11-14T22:13:20.123456Z",`
	if g.req.generate {
		line := jsonf(head+`"response":%s`, g.quote(g.req.Model), g.quote(content))
		if thinking != "" {
			line = append(line, jsonf(`,"thinking":%s`, g.quote(thinking))...)
		}
		return append(append(line, rest...), '}')
	}
	line := jsonf(head+`"message":{"role":"assistant","content":%s`, g.quote(g.req.Model), g.quote(content))
	if thinking != "" {
		line = append(line, jsonf(`,"thinking":%s`, g.quote(thinking))...)
	}
	if calls != "" {
		line = append(line, `,"tool_calls":[`+calls+`]`...)
	}
	return append(append(append(line, '}'), rest...), '}')
}

func ollamaCall(g *generation, i int, c ToolCall) []byte {
	return jsonf(`{"function":{"index":%d,"name":%s,"arguments":%s}}`, i, g.quote(c.Name), g.object(c.Arguments))
}

// ollamaEnd is the end of the last line.
func ollamaEnd(g *generation, finish string) string {
	context := ""
	if g.req.generate {
		context = `,"context":[1,2,3]`
	}
	return string(jsonf(`,"done":true,"done_reason":"%s"%s,"total_duration":5,"load_duration":1,"prompt_eval_count":%d,"prompt_eval_duration":2,"eval_count":%d,"eval_duration":2`,
		stop(finish, "stop", "length", "stop"), context, g.req.words(), g.spoken))
}

// ollamaStream returns the lines of a streamed answer. A call comes in one piece.
func ollamaStream(g *generation) iter.Seq[event] {
	const more = `,"done":false`
	var calls []ToolCall
	return g.stream(func(p part, send func(string, []byte)) {
		switch p.kind {
		case partReasoning:
			send("", ollamaLine(g, "", p.text, "", more))
		case partContent, partRefusal:
			send("", ollamaLine(g, p.text, "", "", more))
		case partCall:
			calls = append(calls, ToolCall{Name: p.text})
		case partArgs:
			calls[p.tool].Arguments += p.text
		case partFinish:
			if g.req.generate {
				calls = nil // a generation has none
			}
			for i, c := range calls {
				send("", ollamaLine(g, "", "", string(ollamaCall(g, i, c)), more))
			}
			send("", ollamaLine(g, "", "", "", ollamaEnd(g, p.text)))
		case partRole:
		}
	})
}

// ollamaBody returns an answer in one piece.
func ollamaBody(g *generation) []byte {
	s := g.whole()
	calls := g.items(speech{calls: s.calls}, "", "", func(i int, c ToolCall) []byte { return ollamaCall(g, i, c) })
	return ollamaLine(g, s.content, s.reasoning, calls, ollamaEnd(g, s.finish))
}
