package relay

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"noecho/proxy/wire"
	"noecho/proxy/wire/api"
)

// randomStream is a stream in which several choices speak in several channels
// in turn, with tokens beside the text.
func randomStream(rnd *rand.Rand) string {
	all := append(strings.Fields(secret), strings.Fields(secret+" one two")...)
	piece := func() string {
		lo := rnd.IntN(len(all))
		text := strings.Join(all[lo:lo+1+rnd.IntN(min(4, len(all)-lo))], " ")
		if rnd.IntN(3) > 0 {
			text = " " + text
		}
		return string(mustJSON(text))
	}
	second := func(string) string { return "" }
	if rnd.IntN(2) > 0 { // a server sends both names of the reasoning, or one
		second = func(p string) string { return `,"reasoning_content":` + p }
	}
	var b strings.Builder
	for range 1 + rnd.IntN(40) {
		p := piece()
		q := piece()
		choice := rnd.IntN(2)
		member := [...]string{
			`"content":` + p,
			`"content":` + p,
			`"reasoning":` + p + second(p),
			`"reasoning":` + p + second(p),
			`"content":` + p + `,"reasoning":` + q + second(q),
			`"content":[{"type":"text","text":` + p + `},{"type":"text","text":` + piece() + `}]`,
			`"tool_calls":[{"index":` + fmt.Sprint(rnd.IntN(2)) + `,"custom":{"name":"f","input":` + p + `}}]`,
			`"content":""`,
			`"refusal":null`,
			`"thoughts":` + p,
		}[rnd.IntN(10)]
		switch rnd.IntN(8) {
		case 0:
			b.WriteString(": ping\r\n\r\n")
		case 1:
			b.WriteString(stream(`{"choices":[],"provider":` + p + `}`))
		case 2:
			b.WriteString(stream(fmt.Sprintf(`{"id":"c","choices":[{"index":%d,"delta":{%s},"logprobs":{"content":[{"token":%s,"bytes":null}]},"token_ids":[1]}]}`, choice, member, p)))
		case 3:
			b.WriteString(stream(fmt.Sprintf(`{"choices":[{"index":0,"delta":{%s}},{"delta":{"content":%s},"index":1}]}`, member, piece())))
		default:
			b.WriteString(stream(delta(choice, member)))
		}
	}
	if rnd.IntN(4) > 0 {
		b.WriteString(stream(ends(0, "stop"), ends(1, "length"), "[DONE]"))
	}
	return b.String()
}

// FuzzRelayChannels: with many channels in turn it does not matter either how the stream
// arrives. Every mode has the same findings, but for words that are cut off: they are
// findings only where they can be withheld. The messages that leave are valid JSON, and
// in redact mode they have no window of the secret.
func FuzzRelayChannels(f *testing.F) {
	for i := range uint64(20) {
		f.Add(i)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 6))
		in := randomStream(rnd)
		cfg := testConfig(t)
		cfg.Decision = observing
		observed := relayed(cfg, in)
		for _, mode := range []Decision{redacting, blocking} {
			cfg.Decision = mode
			want := relayed(cfg, in)
			for range 3 {
				at := randomCuts(rnd, len(in))
				check(t, relayed(cfg, in, at...), want, mode, "cut at", at)
			}
			all := len(want.findings)
			want.findings = slices.DeleteFunc(want.findings, func(f string) bool { return strings.Contains(f, " 1 words") })
			found := len(observed.findings) > 0 || len(want.findings) < all
			if (want.err != nil) != (mode == blocking && found) {
				t.Fatalf("%v: error %v with findings %q", mode, want.err, observed.findings)
			}
			valid(t, want.out)
			if !found && want.out != in {
				t.Fatalf("%v: %q became %q", mode, in, want.out)
			}
			if mode == redacting {
				for i := range want.findings {
					want.findings[i] = strings.Replace(want.findings[i], "redacted", "observed", 1)
				}
				slices.Sort(want.findings)
				slices.Sort(observed.findings)
				if !slices.Equal(want.findings, observed.findings) {
					t.Fatalf("redact finds %q, observe %q", want.findings, observed.findings)
				}
			}
			again := cfg
			again.Decision = observing
			left := relayed(again, want.out)
			left.findings = slices.DeleteFunc(left.findings, func(f string) bool {
				from := f[:strings.LastIndexByte(f, '-')]
				was := slices.ContainsFunc(observed.findings, func(o string) bool { return strings.HasPrefix(o, from+"-") })
				// The end of one choice may cut a word of the other, so that it reads as another word. And text
				// that is withheld without a mask no longer separates the texts around.
				return !was && mode == blocking || strings.HasSuffix(f, "parts")
			})
			if len(left.findings) > 0 {
				t.Fatalf("%v: %q left in %s, made from %s", mode, left.findings, want.out, in)
			}
		}
	})
}

// valid checks that every event of a stream carries JSON.
func valid(t *testing.T, out string) {
	t.Helper()
	f := wire.NewFramer(wire.SSE, api.ByName("openai.chat"))
	for rest := []byte(out); len(rest) > 0; {
		n, _ := f.Scan(rest)
		if p := f.Parse(rest[:n]).Payload; len(p) > 0 && string(p) != "[DONE]" && !json.Valid(p) {
			t.Fatalf("%s is no JSON", p)
		}
		rest = rest[n:]
	}
}
