// Package api knows the APIs that answer with text of a model: one file a family,
// each of which says where its answers keep text, what its requests ask for, and
// how its answers fail and end. Walking, cutting and framing are package wire's.
package api

import "noecho/proxy/wire"

// families are all families. A new one gets its line here.
var families = []*wire.Family{
	chat, completions, responses, converse, invoke, anthropic, anthropicComplete, generic, batch, gemini, ollamaChat, ollamaGenerate,
	llamaCPP, generate, tgi, sglang, cohereChat, cohereV1, fim, mistralConversations, invocations,
}

// ByName returns the family with the given name, or nil.
func ByName(name string) *wire.Family {
	for _, f := range families {
		if f.Name == name {
			return f
		}
	}
	return nil
}
