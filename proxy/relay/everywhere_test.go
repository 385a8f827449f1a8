package relay

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/internal/raced"
	"noecho/proxy/wire"
)

// A planter writes pieces of a record into the places of a case's answer that have one path,
// or into new members of the objects at one path. Elements of an array have the path of the
// array and [], except for choices, which are answers of their own.
type planter struct {
	paths  []string // of all strings and objects
	at     string   // the path to plant at; empty: none
	next   func() string
	within func(piece string) string // for an object: the new member
	used   bool
}

// payload returns a payload with pieces planted.
func (p *planter) payload(payload []byte) []byte {
	d := jsontext.NewDecoder(bytes.NewReader(payload), jsontext.AllowDuplicateNames(true))
	return p.value(d, nil, "")
}

func (p *planter) value(d *jsontext.Decoder, dst []byte, path string) []byte {
	switch k := d.PeekKind(); k {
	case '{', '[':
		_, _ = d.ReadToken()
		dst = append(dst, byte(k))
		here := path + string(k)
		if k == '{' {
			p.paths = append(p.paths, here)
			if here == p.at {
				if piece := p.next(); piece != "" {
					dst, p.used = append(dst, p.within(piece)...), true
					if d.PeekKind() != '}' {
						dst = append(dst, ',')
					}
				}
			}
		}
		for i := 0; d.PeekKind() != k+2; i++ {
			if i > 0 {
				dst = append(dst, ',')
			}
			inside := path + "[]"
			if strings.HasSuffix(path, "choices") || strings.HasSuffix(path, "candidates") || path == "" {
				inside = fmt.Sprintf("%s[%d]", path, i)
			}
			if k == '{' {
				name, _ := d.ReadToken()
				dst, inside = append(append(dst, mustJSON(name.String())...), ':'), path+"."+name.String()
			}
			dst = p.value(d, dst, inside)
		}
		_, _ = d.ReadToken()
		return append(dst, byte(k+2))
	case '"':
		v, _ := d.ReadValue()
		p.paths = append(p.paths, path)
		if path == p.at {
			if piece := p.next(); piece != "" {
				p.used = true
				return append(dst, mustJSON(piece)...)
			}
		}
		return append(dst, v...)
	default:
		v, err := d.ReadValue()
		if err != nil {
			return dst
		}
		return append(dst, v...)
	}
}

// body returns the body of a case with pieces planted.
func (p *planter) body(cfg Config, body []byte) string {
	if cfg.Framing == wire.JSON {
		return string(p.payload(body))
	}
	f := wire.NewFramer(cfg.Framing, cfg.Family)
	var out []byte
	for len(body) > 0 {
		n, ends := 0, false
		for n < len(body) && !ends {
			var k int
			k, ends = f.Scan(body[n:])
			n += k
		}
		raw := slices.Clone(body[:n])
		body = body[n:]
		m := f.Parse(raw)
		switch {
		case len(m.Payload) == 0 || m.Payload[0] != '{':
			out = append(out, raw...)
		case m.At >= 0:
			planted := p.payload(m.Payload)
			out = slices.Concat(out, raw[:m.At], planted, raw[m.At+len(m.Payload):])
		default:
			out = f.Rewrite(out, raw, p.payload(slices.Clone(m.Payload)))
		}
	}
	return string(out)
}

// unreadPlaces are parts of paths that are not read, or are texts of their own: media,
// and the alternatives at one position.
var unreadPlaces = []string{
	".data", "encrypted_", "partial_image_b64", "redactedContent", "signature", "bytes", "top_", "topCandidates", "probs", "_top_logprobs", "_ids_logprobs",
	"prompt_logprobs", "best_of_sequences", "routed_experts",
}

// newMembers are members that no family knows; %s is a piece as a JSON string, %w as one
// that has _ for spaces.
var newMembers = []string{
	`"zz":%s`, `"zz":[%s]`, `"zz":{"t":%s}`, `%s:1`, `%w:""`, `"zz":{%w:{}}`, `"zz":{%s:{"yy":[]}}`, `"zz":[{%w:null}]`,
}

// adjacent returns the most words of the record that follow each other in the strings of a
// body with no other word between, but for names of members that the family knows.
func adjacent(family *wire.Family, body string) int {
	var out strings.Builder
	for _, m := range jsonStrings.FindAllStringSubmatch(body, -1) {
		if m[2] == "" || !family.Knows(m[1]) {
			out.WriteString(m[1] + " ")
		}
	}
	best, n, last := 0, 0, -2
	for _, w := range regexp.MustCompile(`\w+`).FindAllString(strings.ReplaceAll(out.String(), "_", " "), -1) {
		i := slices.Index(answerRecord, w)
		if n++; i < 0 || i != last+1 {
			n = min(1, i+1)
		}
		last = i
		best = max(best, n)
	}
	return best
}

// jsonStrings matches a string in JSON, and the colon behind the name of a member.
var jsonStrings = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"(\s*:)?`)

// plantEverywhere plants a record at one path of a case and fails if as many words as a
// window leave with no others between.
func plantEverywhere(t *testing.T, c *apiCase, seed uint64) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 91))
	cfg := c.config(t, redacting)
	cfg.Set = newMemory(cfg.Spec, strings.Join(answerRecord, " "))
	clean := c.body(apiPieces(apiBefore + apiAfter))
	survey := planter{next: func() string { return "" }}
	if strings.Contains(c.shape, "two") || strings.Contains(c.shape, "candidates") || c.shape == "vllm lines" || c.api+c.shape == "generatesglang" {
		return // choices are answers of their own
	}
	if body := survey.body(cfg, clean); cfg.Framing == wire.Records || len(survey.paths) == 0 || body == "" {
		return
	}
	at := survey.paths[rnd.IntN(len(survey.paths))]
	for _, skip := range unreadPlaces {
		if strings.Contains(at, skip) {
			return
		}
	}
	member, words := newMembers[rnd.IntN(len(newMembers))], answerRecord
	p := planter{at: at, next: func() string {
		n := min(len(words), 2+rnd.IntN(cfg.Spec.N-2))
		piece := strings.Join(words[:n], " ")
		if words = words[n:]; n > 0 {
			piece += " " // the pieces of one text are joined as they are
		}
		return piece
	}, within: func(piece string) string {
		name := strings.ReplaceAll(strings.TrimSpace(piece), " ", "_")
		return strings.NewReplacer("%s", string(mustJSON(piece)), "%w", string(mustJSON(name))).Replace(member)
	}}
	body := p.body(cfg, clean)
	for _, mode := range []Decision{redacting, blocking} {
		cfg.Decision = mode
		var o outcome
		if cfg.Framing == wire.JSON {
			o, _ = whole(cfg, body)
		} else {
			o = relayed(cfg, body)
		}
		if left := adjacent(cfg.Family, o.out); left >= cfg.Spec.N {
			t.Errorf("%s/%s, seed %d, %s at %s: %d words left in %s mode, findings %q\n%s\nof %s", c.api, c.shape, seed, member, at, left, mode, o.findings, o.out, body)
		}
	}
}

// TestEveryPlace: fewer words of a record than a window leave, at whatever place of an answer
// the model writes them.
func TestEveryPlace(t *testing.T) {
	t.Parallel()
	for i, c := range apiCases() {
		if raced.Skips(i) {
			continue
		}
		for seed := range uint64(40) {
			plantEverywhere(t, &c, seed)
		}
	}
}

// FuzzEveryPlace does the same with other places.
func FuzzEveryPlace(f *testing.F) {
	cases := apiCases()
	for i := range uint64(8) {
		f.Add(i*17, i)
	}
	f.Fuzz(func(t *testing.T, which, seed uint64) {
		plantEverywhere(t, &cases[which%uint64(len(cases))], seed)
	})
}

// TestManyMembers: the arguments of a call may have very many members. The work on each is the
// same, however many there are.
func TestManyMembers(t *testing.T) {
	t.Parallel()
	members := "{" + strings.Repeat(`"a":"b",`, raced.Fewer(1<<17)) + `"c":` + string(mustJSON(secret)) + "}"
	cfg := testConfig(t)
	cfg.Framing = wire.JSON
	r := New(cfg)
	out, _, err := r.Whole(nil, []byte(`{"choices":[{"index":0,"message":{"tool_calls":[{"index":0,"id":"1","type":"function","function":{"name":"f","arguments":`+string(mustJSON(members))+`}}]}}]}`))
	if err != nil || len(r.Take(nil)) == 0 || strings.Contains(string(out), secret) {
		t.Errorf("the record left: %v", err)
	}
}
