package fakellm

import (
	"iter"
	"strings"
)

// responses writes the events of one streamed answer of the Responses API. An
// item is a text of one kind, or a call.
type responses struct {
	g    *generation
	send func(event string, data []byte)
	seq  int
	blocks
	name string
	text string   // of the open item
	all  []string // items that are complete
}

// event sends one event; format begins with the members behind its kind.
func (r *responses) event(kind, format string, args ...any) {
	data := jsonf(`{"type":"%s","sequence_number":%d,`, kind, r.seq)
	r.seq++
	r.send(kind, append(append(data, jsonf(format, args...)...), '}'))
}

// answer is the response object.
func (r *responses) answer(status string) literal {
	usage := literal("null")
	if status != "in_progress" {
		usage = responsesUsage(r.g)
	}
	return jsonf(`{"id":"resp_fake","object":"response","created_at":%d,"status":"%s","error":null,"incomplete_details":null,"instructions":null,"model":%s,"output":[%s],"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"usage":%s}`,
		created, status, r.g.quote(r.g.req.Model), strings.Join(r.all, ","), usage)
}

// item is the open item in its current state.
func (r *responses) item(status, text string) string {
	return responsesItem(r.g, r.kind, len(r.all), r.name, status, text)
}

// turn closes the open item and opens one for p, if p is not of it.
func (r *responses) turn(p part) {
	if !r.blocks.turn(p) {
		return
	}
	r.name, r.text = p.text, ""
	r.event("response.output_item.added", `"output_index":%d,"item":%s`, len(r.all), r.item("in_progress", ""))
	switch p.kind {
	case partContent:
		r.event("response.content_part.added", `"item_id":"msg_%d","output_index":%d,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}`, len(r.all), len(r.all))
	case partReasoning:
		r.event("response.reasoning_summary_part.added", `"item_id":"rs_%d","output_index":%d,"summary_index":0,"part":{"type":"summary_text","text":""}`, len(r.all), len(r.all))
	}
}

// done ends the open item: each closing event repeats its text.
func (r *responses) done() {
	at, text := len(r.all), r.g.quote(r.text)
	switch r.kind {
	case partContent:
		r.event("response.output_text.done", `"item_id":"msg_%d","output_index":%d,"content_index":0,"text":%s`, at, at, text)
		r.event("response.content_part.done", `"item_id":"msg_%d","output_index":%d,"content_index":0,"part":{"type":"output_text","text":%s,"annotations":[]}`, at, at, text)
	case partReasoning:
		r.event("response.reasoning_summary_text.done", `"item_id":"rs_%d","output_index":%d,"summary_index":0,"text":%s`, at, at, text)
		r.event("response.reasoning_summary_part.done", `"item_id":"rs_%d","output_index":%d,"summary_index":0,"part":{"type":"summary_text","text":%s}`, at, at, text)
	case partArgs:
		r.event("response.function_call_arguments.done", `"item_id":"fc_%d","output_index":%d,"name":%s,"arguments":%s`, at, at, r.g.quote(r.name), text)
	}
	done := r.item("completed", r.text)
	r.event("response.output_item.done", `"output_index":%d,"item":%s`, at, done)
	r.all = append(r.all, done)
}

// delta sends the next piece of the open item.
func (r *responses) delta(kind, format string, p part) {
	r.turn(p)
	r.text += p.text
	r.event(kind, format+`,"output_index":%d,"delta":%s`, len(r.all), len(r.all), r.g.quote(p.text))
}

func responsesUsage(g *generation) literal {
	in := g.req.words()
	return jsonf(`{"input_tokens":%d,"input_tokens_details":{"cached_tokens":0},"output_tokens":%d,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":%d}`, in, g.spoken, in+g.spoken)
}

// responsesItem is one item of the output.
func responsesItem(g *generation, kind partKind, at int, name, status, text string) string {
	switch {
	case kind == partArgs:
		return string(jsonf(`{"id":"fc_%d","type":"function_call","status":"%s","call_id":"call_%d","name":%s,"arguments":%s}`, at, status, at, g.quote(name), g.quote(text)))
	case kind == partReasoning && text == "":
		return string(jsonf(`{"id":"rs_%d","type":"reasoning","summary":[]}`, at))
	case kind == partReasoning:
		return string(jsonf(`{"id":"rs_%d","type":"reasoning","summary":[{"type":"summary_text","text":%s}]}`, at, g.quote(text)))
	case status == "in_progress":
		return string(jsonf(`{"id":"msg_%d","type":"message","status":"in_progress","role":"assistant","content":[]}`, at))
	}
	return string(jsonf(`{"id":"msg_%d","type":"message","status":"%s","role":"assistant","content":[{"type":"output_text","text":%s,"annotations":[]}]}`, at, status, g.quote(text)))
}

// responsesStream returns the events of a streamed answer.
func responsesStream(g *generation) iter.Seq[event] {
	r := &responses{g: g}
	r.end = r.done
	return g.stream(func(p part, send func(string, []byte)) {
		r.send = send
		switch p.kind {
		case partRole:
			r.event("response.created", `"response":%s`, r.answer("in_progress"))
			r.event("response.in_progress", `"response":%s`, r.answer("in_progress"))
		case partReasoning:
			r.delta("response.reasoning_summary_text.delta", `"item_id":"rs_%d","summary_index":0`, p)
		case partContent, partRefusal:
			r.delta("response.output_text.delta", `"item_id":"msg_%d","content_index":0,"logprobs":[]`, p)
		case partCall:
			p.kind = partArgs
			r.turn(p)
		case partArgs:
			r.delta("response.function_call_arguments.delta", `"item_id":"fc_%d"`, p)
		case partFinish:
			r.close()
			r.event("response.completed", `"response":%s`, r.answer("completed"))
		}
	})
}

// responsesBody returns an answer in one piece.
func responsesBody(g *generation) []byte {
	s := g.whole()
	r := &responses{g: g}
	add := func(kind partKind, name, text string) {
		r.all = append(r.all, responsesItem(g, kind, len(r.all), name, "completed", text))
	}
	if s.reasoning != "" {
		add(partReasoning, "", s.reasoning)
	}
	if s.content != "" {
		add(partContent, "", s.content)
	}
	for _, c := range s.calls {
		add(partArgs, c.Name, c.Arguments)
	}
	return r.answer("completed")
}
