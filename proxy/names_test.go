package proxy

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"noecho/detect"
	"noecho/ngram"
	"noecho/proxy/config"
	"noecho/proxy/wire/api"
)

// canaryWords are words of a record that no name of an API has.
var canaryWords = strings.Fields("zebra quokka narwhal axolotl capybara wombat ocelot tapir gecko lemur badger heron")

// canaryAnswers are answers with the words of the record in every sort of place, and the
// paths that they are asked for at.
func canaryAnswers() map[string]string {
	text, joined := strings.Join(canaryWords, " "), strings.Join(canaryWords[:6], "_")
	quoted := string(mustJSON(text))
	nested, keys := quoted, quoted
	for _, w := range canaryWords {
		nested = fmt.Sprintf(`{%q:%s}`, w, nested)
	}
	for _, w := range canaryWords {
		keys = fmt.Sprintf(`{%q:%s,%q:%s}`, w, quoted, text, keys)
	}
	return map[string]string{
		chatPath: fmt.Sprintf(`{"id":%[1]q,"object":%[1]q,"model":%[1]q,"choices":[{"index":0,"message":{"role":"assistant","content":%[2]s,"tool_calls":[{"id":%[1]q,"type":"function","function":{"name":%[1]q,"arguments":%[3]s}}]},"finish_reason":%[2]s,"zz":%[4]s}],"yy":%[5]s}`,
			joined, quoted, mustJSON(nested), nested, keys),
		"/v1/messages":                     fmt.Sprintf(`{"id":%[1]q,"type":"message","role":"assistant","model":%[1]q,"content":[{"type":"tool_use","id":%[1]q,"name":%[1]q,"input":%[2]s}],"zz":%[2]s,"stop_reason":"tool_use"}`, joined, nested),
		"/v1/responses":                    fmt.Sprintf(`{"id":%[1]q,"object":"response","model":%[1]q,"output":[{"type":"function_call","id":%[1]q,"call_id":%[1]q,"name":%[1]q,"arguments":%[2]s,"zz":%[3]s}],"yy":%[4]s}`, joined, mustJSON(nested), nested, keys),
		"/v1beta/models/g:generateContent": fmt.Sprintf(`{"responseId":%[1]q,"candidates":[{"content":{"parts":[{"functionCall":{"id":%[1]q,"name":%[1]q,"args":%[2]s},"zz":%[3]s}]}}]}`, joined, nested, keys),
		"/model/some/converse":             fmt.Sprintf(`{"output":{"message":{"content":[{"toolUse":{"toolUseId":%[1]q,"name":%[1]q,"input":%[2]s},"zz":%[3]s}]}}}`, joined, nested, keys),
		"/api/chat":                        fmt.Sprintf(`{"model":%[1]q,"message":{"content":"","tool_calls":[{"id":%[1]q,"function":{"name":%[1]q,"arguments":%[2]s}}]},"zz":%[3]s,"done":true}`, joined, nested, keys),
		"/v2/chat":                         fmt.Sprintf(`{"id":%[1]q,"message":{"tool_calls":[{"id":%[1]q,"function":{"name":%[1]q,"arguments":%[2]s}}],"zz":%[3]s}}`, joined, mustJSON(nested), keys),
		"/v1/conversations":                fmt.Sprintf(`{"conversation_id":%[1]q,"outputs":[{"id":%[1]q,"name":%[1]q,"arguments":%[2]s,"zz":%[3]s}]}`, joined, mustJSON(nested), keys),
		"/completion":                      fmt.Sprintf(`{"content":"","%[1]s":%[2]s,"zz":%[3]s}`, joined, nested, keys),
		"/model/some/invoke":               fmt.Sprintf(`{"out":%s,"keys":%s}`, nested, keys),
		"/api/v1/chat":                     fmt.Sprintf(`{"output":%s,"keys":%s}`, nested, keys),
	}
}

// TestCanaryPlaces (G7): no log line, alert, metric or error has a word of the training data
// that a model writes as a key, a name, an id or a text.
func TestCanaryPlaces(t *testing.T) {
	t.Parallel()
	spec, err := ngram.NewSpec(5, ngram.XXH64)
	if err != nil {
		t.Fatal(err)
	}
	answers, asked := canaryAnswers(), regexp.MustCompile(`^\w+ (\S+)`)
	up := newScripted(t, func(c *scene) {
		answer := answers[asked.FindStringSubmatch(c.head)[1]]
		if strings.HasPrefix(c.head, "GET ") {
			answer = answers["/v1/responses"]
		}
		switch {
		case strings.Contains(c.body, "fails"):
			c.whole(500, "application/json", answer)
		case strings.Contains(c.body, "stream"):
			c.say(headSSE)
			c.chunk("data: " + answer + "\n\n")
			c.say(endChunked)
		default:
			c.whole(200, "application/json", answer)
		}
	})
	for _, mode := range []detect.Action{detect.Redact, detect.Block, detect.Observe} {
		cfg := bedConfig(t, up.url())
		cfg.Mode = mode
		b := newBed(t, Options{Config: cfg, Open: func(*config.Config) (Indexes, error) {
			return Indexes{Set: newMemory(spec, strings.Join(canaryWords, " ")), Spec: spec}, nil
		}})
		var refused strings.Builder
		_, _, _, _ = b.do("GET", "/v1/responses/"+strings.Join(canaryWords[:4], "_"), "")
		for path := range answers {
			for _, ask := range []string{`{"model":"m"}`, `{"model":"m","stream":true}`, `{"model":"m","user":"fails"}`} {
				if status, _, text, _ := b.do("POST", path, ask); mode == detect.Block && status >= 400 {
					refused.WriteString(text)
				}
			}
		}
		for _, w := range canaryWords {
			for _, path := range []string{"/v1/" + w, "/" + w, "/v1/files/" + w + "/content", "/v1/chat/completions/" + strings.Join(canaryWords[:3], "-"), "/v1/" + strings.Join(canaryWords, "/")} {
				_, _, text, _ := b.do("DELETE", path, "")
				refused.WriteString(strings.Replace(text, "DELETE "+path+" is", "", 1)) // the caller's own words
			}
		}
		_, metrics := b.ask("GET", "/metrics")
		b.stop()
		for where, written := range map[string]string{"log": b.logs.String(), "alerts": b.alerts.String(), "metrics": metrics, "errors": refused.String()} {
			for _, word := range canaryWords {
				if strings.Contains(strings.ToLower(written), word) {
					t.Errorf("%s: %s holds %q:\n%.4000s", mode, where, word, written)
				}
			}
		}
		if n := len(b.alertLines("finding")); n < 3*len(answers) {
			t.Errorf("%s: %d findings", mode, n)
		}
	}
}

func TestChannelName(t *testing.T) {
	t.Parallel()
	key := []byte("key of principals")
	for name, want := range map[string]string{
		"choices.0.content":              "choices.0.content",
		"choices.12.tool_calls.511.name": "choices.12.tool_calls.511.name",
		"results.[].text":                "results.[].text",
		"content_filter_results.*.x":     "content_filter_results.*." + hiddenName(key, "x"),
		"verdict.answer":                 "verdict.answer",
		"zebra.0.text":                   hiddenName(key, "zebra") + ".0.text",
		"4111.text":                      hiddenName(key, "4111") + ".text",
		"~0123456789abcdef.text":         hiddenName(key, "~0123456789abcdef") + ".text",
		"lines.7.keys":                   "lines.7.keys",
		"framing.comment":                "framing.comment",
		"":                               "",
	} {
		if got := channelName(key, api.ByName("openai.chat"), []string{"verdict"}, name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if a, b := hiddenName(key, "zebra"), hiddenName([]byte("another"), "zebra"); a == b || len(a) != 9 {
		t.Errorf("%s and %s", a, b)
	}
}

func TestModelName(t *testing.T) {
	t.Parallel()
	key := []byte("key of principals")
	for name, hidden := range map[string]bool{
		"": false, "org/model-3.1:free@v1": false, strings.Repeat("m", 128): false,
		"zebra quokka narwhal": true, strings.Repeat("m", 129): true, "m\n": true, "m\u00e9": true, `m"`: true,
	} {
		if got := modelName(key, name); hidden != (got == hiddenName(key, name)) || !hidden && got != name {
			t.Errorf("%q: %q", name, got)
		}
	}
}

func TestOpenPath(t *testing.T) {
	t.Parallel()
	key := []byte("key of principals")
	for _, tt := range []struct{ pattern, path, want string }{
		{"/v1/chat/completions", "/v1/chat/completions", "/v1/chat/completions"},
		{"/v1/responses/{id}", "/v1/responses/resp_68a0b1", "/v1/responses/resp_68a0b1"},
		{"/v1/responses/{id}", "/v1/responses/zebra_quokka", "/v1/responses/" + hiddenName(key, "zebra_quokka")},
		{"/a/v1/threads/{thread}/messages/{message}", "/a/v1/threads/zebra/messages/m1", "/a/v1/threads/" + hiddenName(key, "zebra") + "/messages/m1"},
		{"/model/{id}/invoke", "/model/some/invoke", "/model/some/invoke"},
		{"/openai/deployments/{deployment}/completions", "/openai/deployments/support/completions", "/openai/deployments/support/completions"},
		{"/x", "/x/y", "/x/y"},
	} {
		if got := openPath(key, tt.pattern, tt.path); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.path, got, tt.want)
		}
	}
}
