package relay

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// responsesTypes are the types of items of the Responses API, with each text that a model or a
// tool writes there. item has a piece, as in inTurn. If element is set, item has %s for a list
// of pieces instead: one item has the whole record.
var responsesTypes = []struct{ name, item, element string }{
	{"message", `{"type":"message","id":"m%[2]d","status":"completed","role":"assistant","content":[{"type":"output_text","text":%[1]s,"annotations":[],"logprobs":[]}]}`, ""},
	{"parts", `{"type":"message","id":"m","status":"completed","role":"assistant","content":[%s]}`, `{"type":"output_text","text":%[5]s,"annotations":[],"logprobs":[]}`},
	{"refusal", `{"type":"message","id":"m%[2]d","role":"assistant","content":[{"type":"refusal","refusal":%[1]s}]}`, ""},
	{"titles", `{"type":"message","id":"m%[2]d","role":"assistant","content":[{"type":"output_text","text":"x","annotations":[{"type":"url_citation","start_index":0,"end_index":1,"url":"","title":%[1]s}]}]}`, ""},
	{"reasoning", `{"type":"reasoning","id":"r%[2]d","summary":[],"content":[{"type":"reasoning_text","text":%[1]s}]}`, ""},
	{"summary", `{"type":"reasoning","id":"r%[2]d","summary":[{"type":"summary_text","text":%[1]s}]}`, ""},
	{"summaries", `{"type":"reasoning","id":"r","summary":[%s]}`, `{"type":"summary_text","text":%[1]s}`},
	{"function_call", `{"type":"function_call","id":"f%[2]d","call_id":"c%[2]d","status":"completed","name":"f","arguments":%[3]s}`, ""},
	{"function_call name", `{"type":"function_call","id":"f%[2]d","call_id":"c%[2]d","status":"completed","name":%[1]s,"arguments":"{}"}`, ""},
	{"function_call_output", `{"type":"function_call_output","id":"f%[2]d","call_id":"c%[2]d","output":%[1]s}`, ""},
	{"function_call_output parts", `{"type":"function_call_output","id":"f","call_id":"c","output":[%s]}`, `{"type":"input_text","text":%[1]s}`},
	{"custom_tool_call", `{"type":"custom_tool_call","id":"f%[2]d","call_id":"c%[2]d","name":"f","input":%[1]s}`, ""},
	{"custom_tool_call_output", `{"type":"custom_tool_call_output","id":"f%[2]d","call_id":"c%[2]d","output":%[1]s}`, ""},
	{"file_search_call queries", `{"type":"file_search_call","id":"s%[2]d","status":"completed","queries":[%[1]s],"results":null}`, ""},
	{"file_search_call list", `{"type":"file_search_call","id":"s","status":"completed","queries":[%s],"results":null}`, `%[1]s`},
	{"file_search_call results", `{"type":"file_search_call","id":"s","status":"completed","queries":["x"],"results":[%s]}`, `{"file_id":"f%[2]d","filename":"n.txt","score":0.5,"text":%[1]s}`},
	{"file_search_call names", `{"type":"file_search_call","id":"s%[2]d","status":"completed","queries":["x"],"results":[{"file_id":"f%[2]d","filename":%[1]s,"score":0.5,"text":"x"}]}`, ""},
	{"web_search_call", `{"type":"web_search_call","id":"w%[2]d","status":"completed","action":{"type":"search","query":%[1]s,"sources":[]}}`, ""},
	{"web_search_call queries", `{"type":"web_search_call","id":"w%[2]d","status":"completed","action":{"type":"search","query":%[1]s,"queries":[%[1]s]}}`, ""},
	{"web_search_call list", `{"type":"web_search_call","id":"w","status":"completed","action":{"type":"search","query":"x","queries":[%s]}}`, `%[1]s`},
	{"web_search_call sources", `{"type":"web_search_call","id":"w","status":"completed","action":{"type":"search","query":"x","sources":[%s]}}`, `{"type":"url","url":%[1]s}`},
	{"web_search_call page", `{"type":"web_search_call","id":"w%[2]d","status":"completed","action":{"type":"open_page","url":%[1]s}}`, ""},
	{"web_search_call pattern", `{"type":"web_search_call","id":"w%[2]d","status":"completed","action":{"type":"find_in_page","url":"https://e.org","pattern":%[1]s}}`, ""},
	{"computer_call", `{"type":"computer_call","id":"k%[2]d","call_id":"c%[2]d","status":"completed","action":{"type":"type","text":%[1]s},"pending_safety_checks":[]}`, ""},
	{"computer_call keys", `{"type":"computer_call","id":"k%[2]d","call_id":"c%[2]d","status":"completed","action":{"type":"keypress","keys":[%[1]s]},"pending_safety_checks":[]}`, ""},
	{"computer_call list", `{"type":"computer_call","id":"k","call_id":"c","status":"completed","action":{"type":"keypress","keys":[%s]},"pending_safety_checks":[]}`, `%[1]s`},
	{"computer_call actions", `{"type":"computer_call","id":"k","call_id":"c","status":"completed","actions":[%s],"pending_safety_checks":[]}`, `{"type":"type","text":%[5]s}`},
	{"computer_call keys of actions", `{"type":"computer_call","id":"k","call_id":"c","status":"completed","actions":[%s],"pending_safety_checks":[]}`, `{"type":"keypress","keys":[%[1]s]}`},
	{"computer_call checks", `{"type":"computer_call","id":"k","call_id":"c","status":"completed","action":{"type":"wait"},"pending_safety_checks":[%s]}`, `{"id":"","code":"","message":%[1]s}`},
	{"code_interpreter_call", `{"type":"code_interpreter_call","id":"i%[2]d","status":"completed","container_id":"c","code":%[1]s,"outputs":null}`, ""},
	{"code_interpreter_call logs", `{"type":"code_interpreter_call","id":"i","status":"completed","container_id":"c","code":"x","outputs":[%s]}`, `{"type":"logs","logs":%[1]s}`},
	{"image_generation_call", `{"type":"image_generation_call","id":"g%[2]d","status":"completed","result":"AAAA","revised_prompt":%[1]s}`, ""},
	{"local_shell_call", `{"type":"local_shell_call","id":"l%[2]d","call_id":"c%[2]d","status":"completed","action":{"type":"exec","command":[%[1]s],"env":{}}}`, ""},
	{"local_shell_call list", `{"type":"local_shell_call","id":"l","call_id":"c","status":"completed","action":{"type":"exec","command":[%s],"env":{},"timeout_ms":null,"user":null,"working_directory":null}}`, `%[1]s`},
	{"local_shell_call env", `{"type":"local_shell_call","id":"l","call_id":"c","status":"completed","action":{"type":"exec","command":["x"],"env":{%s}}}`, `"V%[2]d":%[1]s`},
	{"local_shell_call names", `{"type":"local_shell_call","id":"l","call_id":"c","status":"completed","action":{"type":"exec","command":["x"],"env":{%s}}}`, `%[4]s:"x"`},
	{"local_shell_call folder", `{"type":"local_shell_call","id":"l%[2]d","call_id":"c%[2]d","status":"completed","action":{"type":"exec","command":["x"],"env":{},"working_directory":%[1]s}}`, ""},
	{"local_shell_call_output", `{"type":"local_shell_call_output","id":"l%[2]d","output":%[1]s}`, ""},
	{"shell_call", `{"type":"shell_call","id":"h%[2]d","call_id":"c%[2]d","status":"completed","action":{"commands":[%[1]s],"timeout_ms":null}}`, ""},
	{"shell_call list", `{"type":"shell_call","id":"h","call_id":"c","status":"completed","action":{"commands":[%s],"timeout_ms":null}}`, `%[1]s`},
	{"shell_call_output", `{"type":"shell_call_output","id":"o","call_id":"c","output":[%s]}`, `{"stdout":%[1]s,"stderr":"","outcome":{"type":"exit","exit_code":0}}`},
	{"shell_call_output errors", `{"type":"shell_call_output","id":"o%[2]d","call_id":"c","output":[{"stdout":"","stderr":%[1]s,"outcome":{"type":"exit","exit_code":0}}]}`, ""},
	{"apply_patch_call", `{"type":"apply_patch_call","id":"p%[2]d","call_id":"c%[2]d","status":"completed","operation":{"type":"update_file","path":"a.txt","diff":%[1]s}}`, ""},
	{"apply_patch_call path", `{"type":"apply_patch_call","id":"p%[2]d","call_id":"c%[2]d","status":"completed","operation":{"type":"create_file","path":%[1]s,"diff":"x"}}`, ""},
	{"apply_patch_call deleted path", `{"type":"apply_patch_call","id":"p%[2]d","call_id":"c%[2]d","status":"completed","operation":{"type":"delete_file","path":%[4]s}}`, ""},
	{"apply_patch_call_output", `{"type":"apply_patch_call_output","id":"p%[2]d","call_id":"c%[2]d","status":"completed","output":%[1]s}`, ""},
	{"mcp_call", `{"type":"mcp_call","id":"x%[2]d","server_label":"s","name":"f","arguments":%[3]s,"output":null,"error":null}`, ""},
	{"mcp_call output", `{"type":"mcp_call","id":"x%[2]d","server_label":"s","name":"f","arguments":"{}","output":%[1]s,"error":null}`, ""},
	{"mcp_call error", `{"type":"mcp_call","id":"x%[2]d","server_label":"s","name":"f","arguments":"{}","output":null,"error":%[1]s}`, ""},
	{"mcp_approval_request", `{"type":"mcp_approval_request","id":"x%[2]d","server_label":"s","name":"f","arguments":%[3]s}`, ""},
	{"mcp_approval_response", `{"type":"mcp_approval_response","id":"x%[2]d","approval_request_id":"y","approve":true,"reason":%[1]s}`, ""},
	{"mcp_list_tools", `{"type":"mcp_list_tools","id":"x","server_label":"s","tools":[%s]}`, `{"name":"","description":%[1]s,"input_schema":{}}`},
	{"tool_search_call", `{"type":"tool_search_call","id":"t%[2]d","call_id":null,"execution":"server","status":"completed","arguments":{"goal":%[1]s}}`, ""},
	{"tool_search_call list", `{"type":"tool_search_call","id":"t","call_id":null,"execution":"server","status":"completed","arguments":{"paths":[%s]}}`, `%[1]s`},
	{"tool_search_output", `{"type":"tool_search_output","id":"t","call_id":null,"execution":"server","status":"completed","tools":[%s]}`, `{"name":"","description":%[1]s}`},
	{"compaction", `{"type":"compaction","id":"z%[2]d","encrypted_content":"gAAA","note":%[1]s}`, ""},
	{"unknown", `{"type":"song","id":"u%[2]d","line":%[1]s}`, ""},
	{"unknown list", `{"type":"song","id":"u","lines":[%s]}`, `%[1]s`},
	{"unknown objects", `{"type":"song","id":"u","verses":[%s]}`, `{"line":%[1]s}`},
}

// responsesSendings are the ways in which a server sends its items: in one piece, and in streams
// that announce an item with only its type, or whole, and repeat all items at the end, or not.
var responsesSendings = []struct {
	name         string
	added, again string // an event for each item, and the last event; %[1]s is the item or all items, %[2]d its number
}{
	{name: "whole"},
	{"done", "", ""},
	{"twice", "", `{"type":"response.completed","response":{"id":"r","object":"response","status":"completed","output":[%[1]s]}}`},
	{"bare", `{"type":"response.output_item.added","output_index":%[2]d,"item":{"type":"x","id":"i%[2]d","status":"in_progress"}}`, `{"type":"response.completed","response":{"id":"r","object":"response","status":"completed","output":[%[1]s]}}`},
	{"thrice", `{"type":"response.output_item.added","output_index":%[2]d,"item":%[1]s}`, `{"type":"response.completed","response":{"id":"r","object":"response","status":"completed","output":[%[1]s]}}`},
}

// itemShapes are all types of items in all sendings.
func itemShapes() []answerShape {
	var shapes []answerShape
	for _, it := range responsesTypes {
		items := func(pieces []string) []string {
			if it.element == "" {
				return inTurn(pieces, it.item)
			}
			return []string{fmt.Sprintf(it.item, strings.Join(inTurn(pieces, it.element), ","))}
		}
		for _, send := range responsesSendings {
			s := answerShape{name: "openai.responses " + it.name + " " + send.name, contentType: eventType, stream: true}
			s.body = func(pieces []string) string {
				var b strings.Builder
				all := items(pieces)
				for i, item := range all {
					if send.added != "" {
						b.WriteString(typedEvent(strings.NewReplacer("%[1]s", item, "%[2]d", fmt.Sprint(i)).Replace(send.added)))
					}
					b.WriteString(typedEvent(fmt.Sprintf(`{"type":"response.output_item.done","output_index":%d,"item":%s}`, i, item)))
				}
				if send.again != "" {
					b.WriteString(typedEvent(strings.Replace(send.again, "%[1]s", strings.Join(all, ","), 1)))
				}
				return b.String()
			}
			if send.name == "whole" {
				s.contentType, s.stream = jsonType, false
				s.body = func(pieces []string) string {
					return responsesObject("completed", "null", strings.Join(items(pieces), ","))
				}
			}
			shapes = append(shapes, s)
		}
	}
	return shapes
}

// TestResponsesItems: fewer words of a record than a window leave, at whatever place of
// whichever items, and however often the server repeats those.
func TestResponsesItems(t *testing.T) {
	t.Parallel()
	for _, s := range itemShapes() {
		t.Run(strings.ReplaceAll(s.name, " ", "/"), func(t *testing.T) {
			t.Parallel()
			n := s.config(t, redacting).Spec.N
			for _, size := range []int{1, n - 1} {
				checkPieces(t, s, 1, atOnce, sizedPieces(answerRecord, size))
			}
			for seed := range uint64(4) {
				checkPieces(t, s, seed, atOnce, cutWords(rand.New(rand.NewPCG(seed, 53)), answerRecord, n-1))
			}
		})
	}
}

// sizedPieces cuts words into pieces of a size.
func sizedPieces(words []string, size int) []string {
	var out []string
	for chunk := range slices.Chunk(words, size) {
		out = append(out, strings.Join(chunk, " "))
	}
	return out
}
