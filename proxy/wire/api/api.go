// Package api knows the APIs of models: one file a family. A family says at which
// members its answers have text, how to read its requests, and how to write its errors
// and endings. Walking, cutting and framing belong to package wire.
package api

import (
	"strings"

	"noecho/proxy/wire"
)

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

// fill appends a JSON template in which each %s becomes a value, escaped as in a string.
func fill(dst []byte, template string, values ...string) []byte {
	for _, v := range values {
		before, after, _ := strings.Cut(template, "%s")
		dst, template = wire.AppendEscaped(append(dst, before...), []byte(v)), after
	}
	return append(dst, template...)
}
