// Package api knows the APIs that answer with text of a model: one file a family,
// each of which says where its answers keep text, what its requests ask for, and
// how its answers fail and end. Walking, cutting and framing are package wire's.
package api

import "noecho/proxy/wire"

// families are all codecs, by name.
var families = func() map[string]wire.Family {
	m := map[string]wire.Family{}
	for _, f := range []wire.Family{Chat{}, Completions{}, Responses{}, Converse{}, Invoke{}, Anthropic{}, AnthropicComplete{}, Generic{}, Batch{}, Gemini{}, OllamaChat{}, OllamaGenerate{}, LlamaCPP{}, Generate{}, TGI{}, SGLang{}, CohereChat{}, CohereV1{}, FIM{}, MistralConversations{}, Invocations{}} {
		m[f.Name()] = f
	}
	return m
}()

// ByName returns the family with the given name.
func ByName(name string) (wire.Family, bool) {
	f, ok := families[name]
	return f, ok
}
