package relay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// randomValue is a JSON value of words of the secret and others, at most depth
// deep.
func randomValue(rnd *rand.Rand, depth int) any {
	all := append(strings.Fields(secret), "true", "null", "one", "né\n", "\"q\"", "\\", "12")
	text := func() string {
		lo := rnd.IntN(len(all))
		return strings.Join(all[lo:lo+1+rnd.IntN(min(8, len(all)-lo))], " ")
	}
	switch k := rnd.IntN(8); {
	case k == 0:
		return []any{true, false, nil}[rnd.IntN(3)]
	case k == 1:
		return float64(rnd.IntN(100000)-50000) / 8
	case k <= 4 && depth > 0:
		list := []any{}
		for range rnd.IntN(5) {
			list = append(list, randomValue(rnd, depth-1))
		}
		return list
	case k <= 6 && depth > 0:
		object := map[string]any{}
		for range rnd.IntN(5) {
			object[text()] = randomValue(rnd, depth-1)
		}
		return object
	}
	return text()
}

// argumentsOf joins the arguments of a stream's one tool call, or reads them
// from a body.
func argumentsOf(t *testing.T, out string) string {
	t.Helper()
	type message struct {
		ToolCalls []struct {
			Function struct{ Arguments json.RawMessage }
		} `json:"tool_calls"`
	}
	var b strings.Builder
	for event := range strings.SplitSeq(out, "\n\n") {
		payload := strings.TrimPrefix(event, "data: ")
		if payload == "" || payload == "[DONE]" {
			continue
		}
		var chunk struct {
			Choices []struct{ Delta, Message message }
		}
		if err := json.Unmarshal([]byte(payload), &chunk); err != nil {
			t.Fatalf("%v in %q", err, payload)
		}
		for _, c := range chunk.Choices {
			for _, call := range append(c.Delta.ToolCalls, c.Message.ToolCalls...) {
				var s string
				if json.Unmarshal(call.Function.Arguments, &s) != nil {
					s = string(call.Function.Arguments)
				}
				b.WriteString(s)
			}
		}
	}
	return b.String()
}

// FuzzRelayArguments: arguments come out as the same valid JSON whether they
// came in pieces, in one string or as a value, and hold no window of the secret.
func FuzzRelayArguments(f *testing.F) {
	for i := range uint64(20) {
		f.Add(i)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetIndent("", strings.Repeat(" ", rnd.IntN(2)))
		if err := e.Encode(map[string]any{"a": randomValue(rnd, 3), "b": randomValue(rnd, 2)}); err != nil {
			t.Fatal(err)
		}
		const call = `"tool_calls":[{"index":0,"function":{"arguments":%s}}]`
		var payloads []string
		for runes := []rune(text.String()); len(runes) > 0; {
			n := min(len(runes), 1+rnd.IntN(9))
			payloads = append(payloads, delta(0, fmt.Sprintf(call, mustJSON(string(runes[:n])))))
			runes = runes[n:]
		}
		in := stream(append(payloads, ends(0, "tool_calls"), "[DONE]")...)
		cfg := testConfig(t)
		want := relayed(cfg, in)
		got := argumentsOf(t, want.out)
		if !json.Valid([]byte(got)) {
			t.Fatalf("%s became %s", text.Bytes(), got)
		}
		if len(want.findings) == 0 && got != text.String() {
			t.Fatalf("without a finding %s became %s", text.Bytes(), got)
		}
		for _, arguments := range []string{string(mustJSON(text.String())), strings.TrimSpace(text.String())} {
			body, _ := whole(cfg, `{"choices":[{"message":{`+fmt.Sprintf(call, arguments)+`}}]}`)
			if strings.Contains(strings.Join(slices.Concat(body.findings, want.findings), "\n"), " parts") {
				continue // in pieces, words before the last name have left
			}
			if b := argumentsOf(t, body.out); strings.TrimSpace(b) != strings.TrimSpace(got) {
				t.Fatalf("%s: %s in pieces, %s at once", text.Bytes(), got, b)
			}
		}
		cfg.Decision = observing
		again := relayed(cfg, want.out)
		again.findings = slices.DeleteFunc(again.findings, func(f string) bool {
			return strings.HasSuffix(f, "parts") // a masked name no longer separates the texts around
		})
		if len(again.findings) > 0 {
			t.Fatalf("%s became %s, which still holds %q", text.Bytes(), got, again.findings)
		}
		cfg.Decision = redacting
		check(t, relayed(cfg, in, randomCuts(rnd, len(in))...), want, "in pieces")
	})
}
