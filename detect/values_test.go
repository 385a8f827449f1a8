package detect

import (
	"fmt"
	"strings"
	"testing"
)

// shapes are JSON texts around a string.
var shapes = []string{
	`{"q":"%s"}`, `{"query": "%s", "limit": 3, "in": {"a": "b"}}`, `{"a": {"b": [{"answer": "%s"}]}}`,
	`["%s"]`, `[{"":"%s"}]`, "```json\n{\n  \"text\": \"%s\"\n}\n```", `{"limit": 10, "list": [true, null], "q\"x": "%s"}`,
	`{"path": "plain", "q": "%s"}`, `{"a": "", "b": "more of it", "q": "%s"}`,
}

// TestJSONJoins: of a text that goes on with the prompt nothing more leaves as a string of JSON
// than alone, in every two pieces and with a pause between them.
func TestJSONJoins(t *testing.T) {
	t.Parallel()
	ix := parts{Set: newPlainSet(10, record), phrases: newPlainPhrases(identifiers())}
	words := strings.Fields(record)
	type seam struct{ prompt, text string }
	var seams []seam
	for _, k := range []int{9, 8, 5, 2, 1} {
		seams = append(seams, seam{"go on: " + strings.Join(words[:k], " "), strings.Join(words[k:min(k+9, len(words))], " ")})
	}
	for id := range identifiers() {
		for _, cut := range []int{2, len(id) / 2, len(id) - 3} {
			if id[cut:] == strings.TrimLeft(id[cut:], " /?:") {
				seams = append(seams, seam{"write to " + id[:cut], id[cut:] + " now"})
			}
		}
	}
	seams = append(seams, seam{"what is it", "nothing that anybody knows"}, seam{"I am ann.ray@example.net", "ann.ray@example.net it is"})
	for _, s := range seams {
		for _, behind := range []string{"", ", please"} {
			for _, release := range []Release{Adaptive, Strict} {
				p := func() *Prompt { return prompted(ix, s.prompt+behind, "you help", s.prompt+behind) }
				alone := runPieces(t, New(ix, spec(10), Config{Release: release, Prompt: p()}), []string{s.text})
				for _, shape := range shapes {
					answer := fmt.Sprintf(shape, s.text)
					at := strings.Index(shape, "%s")
					for cut := range len(answer) + 1 {
						d := New(ix, spec(10), Config{Release: release, Prompt: p()})
						out := runPieces(t, d, []string{answer[:cut], answer[cut:]})
						for i, acted := range alone.acted {
							if acted && !out.acted[at+i] || !acted && out.acted[at+i] {
								t.Fatalf("prompt %q, answer %q cut at %d: %v; alone %v", s.prompt+behind, answer, cut, out, alone)
							}
						}
					}
				}
			}
		}
	}
}

// TestJSONJoinsParked: behind a pause inside a string the rest is withheld.
func TestJSONJoinsParked(t *testing.T) {
	t.Parallel()
	ix := parts{Set: newPlainSet(10, record), phrases: newPlainPhrases(identifiers())}
	words := strings.Fields(record)
	prompt := "go on: " + strings.Join(words[:9], " ")
	answer := `{"q": "` + strings.Join(words[9:], " ") + `"}`
	for cut := range len(answer) {
		d := New(ix, spec(10), Config{Prompt: prompted(ix, prompt, prompt)})
		segments := d.Append(nil, []byte(answer[:cut]))
		segments = d.Append(d.Park(segments), []byte(answer[cut:]))
		left := masked(answer, d.Finish(segments))
		for _, w := range words[9:] {
			if strings.Contains(left, w) {
				t.Fatalf("cut at %d: %q", cut, left)
			}
		}
	}
}

// TestJSONJoinsAllocateNothing: an answer of JSON costs no allocation once the detector has read
// one.
func TestJSONJoinsAllocateNothing(t *testing.T) {
	var ix Index = parts{Set: newPlainSet(10, record), phrases: newPlainPhrases(identifiers())}
	p := prompted(ix, "what is it", "you help", "what is it")
	d := New(ix, spec(10), Config{Prompt: p})
	text := []byte(`{"query": "the number of days in a year", "limit": 4, "list": ["some more", "words of it"]}`)
	var segments []Segment
	read := func() {
		d.Reset(ix, spec(10), Config{Prompt: p})
		segments = d.Finish(d.Append(segments[:0], text))
	}
	read()
	if n := testing.AllocsPerRun(50, read); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
