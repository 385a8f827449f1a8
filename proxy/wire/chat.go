package wire

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// Chat is the OpenAI Chat Completions API and the servers that speak it. An
// answer is a list of choices; a stream is a list of chunks whose choices carry
// a delta instead of a message, ended by `data: [DONE]`.
type Chat struct{}

var chatPaths = NewPaths(Table{Choices: "choices", Done: openAIDone, Rules: chatRules()})

// chatRules is the table of chat answers. Message and delta are the same but
// for the name; agents of Mistral and the first Azure OpenAI on one's own data
// answer with several. p is padding, Mistral's.
func chatRules() []Rule {
	rules := append(envelopeRules(), logprobsRules()...)
	rules = append(rules, Rule{Path: "p", Role: NoText})
	for _, at := range []string{"choices[#].message.", "choices[#].delta.", "choices[#].messages[].", "choices[#].messages[].delta."} {
		rules = append(rules,
			Rule{Path: at + "role", Role: NoText},
			Rule{Path: at + "content", Role: Text, Name: "content", Form: Reply},
			Rule{Path: at + "content[]", Role: Text, Name: "content", Form: Reply},
			Rule{Path: at + "content[].type", Role: NoText},
			Rule{Path: at + "content[].text", Role: Text, Name: "content", Form: Reply},
			Rule{Path: at + "content[].refusal", Role: Text, Name: "refusal"},
			Rule{Path: at + "content[].thinking", Role: Text, Name: "reasoning"},
			Rule{Path: at + "content[].thinking[].type", Role: NoText},
			Rule{Path: at + "content[].thinking[].text", Role: Text, Name: "reasoning"},
			Rule{Path: at + "refusal", Role: Text, Name: "refusal"},
			Rule{Path: at + "reasoning", Role: Alias, Name: "reasoning"},
			Rule{Path: at + "reasoning_content", Role: Alias, Name: "reasoning"},
			Rule{Path: at + "reasoning_text", Role: Alias, Name: "reasoning"},
			Rule{Path: at + "reasoning_details[].type", Role: NoText},
			Rule{Path: at + "reasoning_details[].format", Role: NoText},
			Rule{Path: at + "reasoning_details[].text", Role: Alias, Name: "reasoning"},
			Rule{Path: at + "reasoning_details[].summary", Role: Alias, Name: "reasoning"},
			Rule{Path: at + "tool_calls[#].index", Role: ElementNumber},
			Rule{Path: at + "tool_calls[#].id", Role: NoText},
			Rule{Path: at + "tool_calls[#].type", Role: NoText},
			Rule{Path: at + "tool_calls[#].function.name", Role: Metadata, Name: "tool_calls.#.name"},
			Rule{Path: at + "tool_calls[#].function.arguments", Role: Text, Name: "tool_calls.#.arguments", Form: Nested},
			Rule{Path: at + "tool_calls[#].custom.name", Role: Metadata, Name: "tool_calls.#.name"},
			Rule{Path: at + "tool_calls[#].custom.input", Role: Text, Name: "tool_calls.#.input"},
			Rule{Path: at + "function_call.name", Role: Metadata, Name: "function_call.name"},
			Rule{Path: at + "function_call.arguments", Role: Text, Name: "function_call.arguments", Form: Nested},
			Rule{Path: at + "audio.id", Role: NoText},
			Rule{Path: at + "audio.data", Role: Skip, With: `""`},
			Rule{Path: at + "audio.transcript", Role: Text, Name: "audio.transcript"},
			Rule{Path: at + "annotations", Role: Drop, With: `[]`},
		)
	}
	return rules
}

// Name implements [Family].
func (Chat) Name() string { return "openai.chat" }

// Paths implements [Family].
func (Chat) Paths() *Paths { return chatPaths }

// Request implements [Family].
func (Chat) Request(_ string, body []byte) (Request, error) {
	r := Request{N: 1}
	err := readRequest(body, func(name string, v jsontext.Value) error {
		switch {
		case r.common(name, v):
		case name == "messages":
			return r.conversation(v)
		default:
			r.visible(v)
		}
		return nil
	})
	return r, err
}

// conversation reads the messages of a chat, or of several.
func (r *Request) conversation(v jsontext.Value) error {
	return eachElement(v, func(v jsontext.Value) error {
		if v.Kind() == '[' {
			return r.conversation(v)
		}
		r.visible(v)
		r.Tail = nil
		return eachMember(v, func(name string, v jsontext.Value) error {
			if name == "content" {
				r.Tail = contentText(nil, v)
			}
			return nil
		})
	})
}

// contentText appends the text of a message's content: a string, or the texts
// of its parts one behind the other.
func contentText(dst []byte, v jsontext.Value) []byte {
	if v.Kind() == '"' {
		return AppendText(dst, bytes.TrimSpace(v))
	}
	_ = eachElement(v, func(part jsontext.Value) error {
		if part.Kind() == '"' {
			dst = AppendText(dst, part)
			return nil
		}
		return eachMember(part, func(name string, v jsontext.Value) error {
			if name == "text" && v.Kind() == '"' {
				dst = AppendText(dst, v)
			}
			return nil
		})
	})
	return dst
}

// AppendFailure implements [Family].
func (Chat) AppendFailure(dst []byte, f Failure) []byte { return appendOpenAIFailure(dst, f) }

// Framing implements [Family].
func (Chat) Framing(contentType string, _ Request) Framing { return ByContentType(contentType) }

// Fail implements [Family].
func (Chat) Fail(w *Writer, f Failure) { w.Message("", appendOpenAIFailure(nil, f)) }

// NewEnding implements [Family].
func (Chat) NewEnding() Ending { return &openAIEnding{text: `"delta":{}`} }

var _ Family = Chat{}
