package corpus

import (
	"slices"
	"strings"
)

// The table of formats. Each row of a file is read by its own members: a member that
// some format of the table names is read, wherever it occurs, and every other text is
// counted as not read. So rows of several formats may stand in one file, and a row may
// mix them. The table is also the table of docs/formats.md, and its examples are tests.

// use says how a member is read.
type use uint8

const (
	useUnknown use = iota // no format names it
	useText               // a text, a message, or a list of these
	useTurns              // the same; JSON of messages in a string is read as messages
	useParts              // of a message: a text, a part, a call, or a list of these
	useCall               // the arguments of a call: an object is one text, its JSON
	useRole               // the role of a message
	useSystem             // a system prompt beside the messages
	useTools              // definitions of tools, which are never read
)

// member is a member that a format names.
type member struct {
	name string
	use  use
}

// shape is one format of rows.
type shape struct {
	name    string   // in notices and documents
	tell    []string // a row with all of these members is called by the name
	members []member
	example string // a row
	words   string // the document says this of the format
}

// shapes returns the table, the most telling formats first.
func shapes() []shape {
	return slices.Concat(chatShapes(), preferenceShapes(), columnShapes(), otherShapes())
}

// chatShapes are the formats of conversations and pairs.
func chatShapes() []shape {
	return []shape{
		{
			name: string(OpenAI), tell: []string{"messages"},
			members: []member{{"messages", useTurns}, {"system", useSystem}, {"tools", useTools}, {"functions", useTools}},
			example: `{"messages":[{"role":"user","content":"A"},{"role":"assistant","reasoning_content":"B","content":"C"}]}`,
			words:   "chat fine-tuning of OpenAI, Azure, Mistral, Together, Amazon Bedrock, Cohere, TRL, ms-swift and others",
		},
		{
			name: string(ShareGPT), tell: []string{"conversations"},
			members: []member{{"conversations", useTurns}, {"conversation", useTurns}},
			example: `{"conversations":[{"from":"human","value":"A"},{"from":"gpt","value":"B"}]}`,
			words:   "ShareGPT, LLaMA-Factory, Axolotl",
		},
		{
			name: string(Completion), tell: []string{"prompt", "completion"},
			members: []member{{"prompt", useTurns}, {"completion", useTurns}},
			example: `{"prompt":"A","completion":"B"}`,
			words:   "prompts and completions, each a text or a list of messages; KTO",
		},
		{
			name: string(Alpaca), tell: []string{"instruction", "output"},
			members: []member{{"instruction", useText}, {"input", useTurns}, {"output", useTurns}, {"history", useTurns}},
			example: `{"instruction":"A","input":"","output":"B","history":[["C","D"]]}`,
			words:   "Alpaca, and its rows in LLaMA-Factory",
		},
	}
}

// preferenceShapes are the formats of preferences.
func preferenceShapes() []shape {
	return []shape{
		{
			name: "preference", tell: []string{"chosen", "rejected"},
			members: []member{{"chosen", useTurns}, {"rejected", useTurns}},
			example: `{"prompt":"A","chosen":[{"role":"assistant","content":"B"}],"rejected":"C"}`,
			words:   "preferences of TRL, LLaMA-Factory and the Hugging Face hub",
		},
		{
			name: "preferred output", tell: []string{"preferred_output", "non_preferred_output"},
			members: []member{{"preferred_output", useTurns}, {"non_preferred_output", useTurns}},
			example: `{"input":{"messages":[{"role":"user","content":"A"}]},"preferred_output":[{"role":"assistant","content":"B"}],"non_preferred_output":[{"role":"assistant","content":"C"}]}`,
			words:   "preferences of OpenAI, Azure, Together and Fireworks",
		},
		{
			name: "rejected response", tell: []string{"rejected_response"},
			members: []member{{"query", useText}, {"rejected_response", useTurns}, {"rejected_messages", useTurns}},
			example: `{"query":"A","response":"B","rejected_response":"C"}`,
			words:   "ms-swift",
		},
	}
}

// otherShapes are the formats of pairs of other names, of batch interfaces and of plain
// text.
func otherShapes() []shape {
	return []shape{
		{
			name: "instruction and response", tell: []string{"instruction", "response"},
			members: []member{{"response", useTurns}, {"context", useText}},
			example: `{"instruction":"A","context":"B","response":"C"}`,
			words:   "Dolly, GPTeacher, LLM Foundry",
		},
		{
			name: "question and answer", tell: []string{"question", "answer"},
			members: []member{{"question", useText}, {"answer", useText}},
			example: `{"question":"A","answer":"B"}`,
			words:   "GSM8K and many others",
		},
		{
			name: "contents", tell: []string{"contents"},
			members: []member{{"contents", useTurns}, {"systemInstruction", useSystem}, {"system_instruction", useSystem}, {"system_prompt", useSystem}, {"preamble", useSystem}},
			example: `{"contents":[{"role":"user","parts":[{"text":"A"}]},{"role":"model","parts":[{"text":"B"}]}]}`,
			words:   "tuning of Gemini",
		},
		{
			name: "segments", tell: []string{"segments"},
			members: []member{{"segments", useText}},
			example: `{"segments":[{"label":true,"text":"A"},{"label":false,"text":"B"}]}`,
			words:   "Axolotl without a template",
		},
		{
			name: "batch output", tell: []string{"response", "custom_id"},
			members: []member{{"body", useText}, {"choices", useText}, {"message", useText}, {"candidates", useText}, {"result", useText}, {"request", useText}, {"modelInput", useText}, {"modelOutput", useText}},
			example: `{"custom_id":"7","response":{"status_code":200,"body":{"choices":[{"message":{"role":"assistant","content":"A"}}]}}}`,
			words:   "answers of the batch interfaces of OpenAI, Anthropic, Gemini and Amazon Bedrock",
		},
		{
			name: "text column", tell: []string{"text"},
			members: []member{{"text", useText}},
			example: `{"text":"A"}`,
			words:   "plain text, rendered templates of chats, corpora for pre-training",
		},
		{
			name: "message", tell: []string{"role", "content"},
			members: slices.Concat(messageMembers(), partMembers()),
			example: `{"role":"assistant","thinking":"A","content":[{"type":"text","text":"B"},{"type":"tool_use","input":{"c":"C"}}]}`,
			words:   "a row that is one message, and the items of such an output",
		},
	}
}

// columnShapes are the formats of columns with texts of other names.
func columnShapes() []shape {
	return []shape{
		{
			name: "problem and solution", tell: []string{"problem", "solution"},
			members: []member{{"problem", useText}, {"solution", useTurns}, {"generation", useTurns}, {"generations", useTurns}, {"completions", useTurns}, {"reference_answer", useText}, {"explanation", useText}, {"reflection", useText}, {"corrected", useText}, {"revision", useText}},
			example: `{"problem":"A","generations":["B","C"],"solution":"D"}`,
			words:   "reasoning and reinforcement sets: OpenAI, TRL, ms-swift, Axolotl, Open R1",
		},
		{
			name: "article and summary", tell: []string{"article", "summary"},
			members: []member{{"article", useText}, {"document", useText}, {"dialogue", useTurns}, {"highlights", useText}},
			example: `{"article":"A","dialogue":"B","summary":"C"}`,
			words:   "summaries: Axolotl, CNN/DailyMail, XSum, SAMSum",
		},
		{
			name: "input and target", tell: []string{"inputs", "targets"},
			members: []member{{"inputs", useTurns}, {"targets", useTurns}, {"target", useTurns}, {"input_text", useText}, {"output_text", useText}, {"text_input", useText}},
			example: `{"inputs":"A","targets":"B"}`,
			words:   "FLAN, Vertex AI, Google AI Studio, Firefly",
		},
	}
}

// messageMembers are the members of a message, and of the parts of its content.
func messageMembers() []member {
	return []member{
		{"role", useRole},
		{"from", useRole},
		{"author", useRole},
		{"sender", useRole},
		{"content", useParts},
		{"value", useParts},
		{"parts", useParts},
		{"refusal", useParts},
		{"reasoning_content", useParts},
		{"reasoning", useParts},
		{"thinking", useParts},
		{"reasoning_details", useParts},
		{"thoughts", useParts},
		{"tool_plan", useParts},
		{"tool_results", useParts},
		{"tool_calls", useParts},
		{"function_call", useParts},
		{"message", useParts},
		{"arguments", useCall},
	}
}

// partMembers are the members of a part or a call that a row does not have, or has in
// another meaning.
func partMembers() []member {
	return []member{
		{"function", useParts},
		{"custom", useParts},
		{"functionCall", useParts},
		{"functionResponse", useParts},
		{"toolUse", useParts},
		{"toolResult", useParts},
		{"reasoningContent", useParts},
		{"reasoningText", useParts},
		{"summary", useParts},
		{"executableCode", useParts},
		{"codeExecutionResult", useParts},
		{"code", useParts},
		{"transcript", useParts},
		{"input", useCall},
		{"args", useCall},
		{"response", useCall},
		{"output", useCall},
		{"json", useCall},
		{"text", useParts},
	}
}

// blockMembers are members that have text in a part alone, and describe a row.
func blockMembers() []member {
	return []member{{"document", useParts}, {"source", useParts}, {"data", useParts}, {"outputs", useCall}}
}

// uses are the members that the walk of a row knows: at the top of a row and in
// messages, and below the content of a message.
type uses struct{ row, part map[string]use }

func newUses() uses {
	u := uses{row: map[string]use{}, part: map[string]use{}}
	for _, s := range shapes() {
		for _, m := range s.members {
			if u.row[m.name] == useUnknown {
				u.row[m.name] = m.use
			}
		}
	}
	for _, m := range slices.Concat(messageMembers(), partMembers(), blockMembers()) {
		u.part[m.name] = m.use
	}
	return u
}

// named returns the name of the format of a row with these members, and the members
// that tell it. The name is empty if the table has no such format.
func named(columns []string) (name string, tell []string) {
	for _, s := range shapes() {
		lacks := func(c string) bool {
			return !slices.ContainsFunc(columns, func(column string) bool { return strings.EqualFold(column, c) })
		}
		if !slices.ContainsFunc(s.tell, lacks) {
			return s.name, s.tell
		}
	}
	return "", nil
}

// lookup returns the use of a member. Case does not matter, if no member has the name as
// it is written.
func lookup(uses map[string]use, name []byte) use {
	if u := uses[string(name)]; u != useUnknown {
		return u
	}
	var small [24]byte
	n := copy(small[:], name)
	if n < len(name) || !toSmall(small[:n]) {
		return useUnknown
	}
	return uses[string(small[:n])]
}

// toSmall turns capital letters into small ones, and reports whether there are any.
func toSmall(name []byte) (any bool) {
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			name[i], any = c+'a'-'A', true
		}
	}
	return any
}
