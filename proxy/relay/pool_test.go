package relay

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"noecho/detect"
	"noecho/internal/raced"
	"noecho/internal/residue"
	"noecho/proxy/wire"
	"noecho/proxy/wire/api"
)

// poolAnswers are answers of a chat, with and without findings, some of which end early.
func poolAnswers() []string {
	var out []string
	for _, a := range benchAnswers() {
		out = append(out, a.body)
	}
	said := []string{secret, "well, " + secret + " and so on", "nothing", strings.ReplaceAll(secret, " ", "\n"), strings.Join(strings.Split(secret, ""), " ")}
	for _, text := range said {
		out = append(out,
			fmt.Sprintf(`{"choices":[{"index":0,"message":{"content":%s,"a name":{"another":"value"}},"finish_reason":"stop"}]}`, mustJSON(text)),
			stream(delta(0, `"content":`+string(mustJSON(text))), delta(1, `"content":"other"`), ends(0, "stop"), "[DONE]"),
			stream(delta(0, `"content":`+string(mustJSON(text)))), stream(`{"choices":[`), `{"choices":[`)
	}
	return out
}

// answerOf reads an answer with a relay and describes all that comes of it.
func answerOf(r *Relay, body string) string {
	var out []byte
	var err error
	status := 0
	if r.cfg.Framing == wire.JSON {
		out, status, err = r.Whole(nil, []byte(body))
	} else {
		for i := 0; i < len(body) && err == nil; i += 100 {
			out, err = r.Append(out, []byte(body[i:min(i+100, len(body))]))
		}
		if err == nil {
			out, err = r.Finish(out)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d %v %+v\n%s", status, err, r.Counts(), out)
	for _, f := range r.Take(nil) {
		fmt.Fprintf(&b, "%s %v %v %+v\n", f.Channel, f.Channels, f.Action, f.Finding)
	}
	return b.String()
}

// TestPool: a relay out of a pool gives the output of a new one, whichever stream it read before.
func TestPool(t *testing.T) {
	t.Parallel()
	var pool Pool
	answers := poolAnswers()
	for round := range 3 {
		for _, mode := range []Decision{redacting, blocking, observing} {
			for i := range answers {
				body := answers[(i*(round+1)+round)%len(answers)]
				cfg := testConfig(t)
				cfg.Family, cfg.Decision, cfg.Detect.Lanes = api.ByName("openai.chat"), mode, detect.AllLanes
				if cfg.Framing = wire.SSE; strings.HasPrefix(body, "{") {
					cfg.Framing = wire.JSON
				}
				r := pool.New(cfg)
				if got, want := answerOf(r, body), answerOf(New(cfg), body); got != want {
					t.Fatalf("%v, %.100q:\n%s\nwithout a pool:\n%s", mode, body, got, want)
				}
				r.Close()
			}
		}
	}
}

// TestPoolKeepsNothing: a relay in a pool has no byte of its answer, and little storage.
func TestPoolKeepsNothing(t *testing.T) {
	t.Parallel()
	mark := "quebec"
	answers := append(poolAnswers(), stream(delta(0, `"content":"`+strings.Repeat("some words of it ", 1<<17)+`"`), "[DONE]"))
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, `"quebec%d":"quebec quebec",`, i)
	}
	answers = append(answers, `{`+many.String()+`"x":1}`, stream(`{`+many.String()+`"x":1}`))
	for _, body := range answers {
		body = strings.ReplaceAll(body, "alpha", mark)
		cfg := testConfig(t)
		cfg.Family, cfg.Detect.Lanes = api.ByName("openai.chat"), detect.AllLanes
		if cfg.Framing = wire.SSE; strings.HasPrefix(body, "{") {
			cfg.Framing = wire.JSON
		}
		r := (&Pool{}).New(cfg)
		answerOf(r, body)
		r.Close()
		s := residue.Search{Mark: mark, Shared: func(t reflect.Type) bool {
			return strings.Contains(t.String(), "sync.") || strings.Contains(t.String(), "wire.paths")
		}}
		if s.In("relay", r); len(s.Found) > 0 {
			t.Errorf("%.80q: %s", body, strings.Join(s.Found, "\n"))
		}
		if s.Size > 2<<20 {
			t.Errorf("%.80q: %d KiB are kept", body, s.Size>>10)
		}
	}
}

// TestPoolAllocs: a clean answer allocates little once the pool has a relay: its channels,
// its bytes, and nothing for each word.
func TestPoolAllocs(t *testing.T) {
	if raced.On { // there a sync.Pool drops a value now and then
		return
	}
	for _, a := range benchAnswers() {
		cfg := testConfig(t)
		cfg.Family, cfg.Detect.Lanes = api.ByName(a.api), detect.AllLanes
		cfg.Framing = cfg.Family.Framing(a.contentType, wire.Request{Stream: true})
		var pool Pool
		body, out := []byte(a.body), make([]byte, 0, 1<<20)
		read := func() {
			r := pool.New(cfg)
			if cfg.Framing == wire.JSON {
				_, _, _ = r.Whole(out[:0], body)
			} else {
				p, _ := r.Append(out[:0], body)
				_, _ = r.Finish(p)
			}
			r.Close()
		}
		if n := testing.AllocsPerRun(200, read); n > 100 {
			t.Errorf("%s: %v allocations an answer", a.name, n)
		} else {
			t.Logf("%s: %v", a.name, n)
		}
	}
}

// TestWholeIsNotCopied: a clean answer in one piece leaves as the bytes that came; a record of a
// body does not, because the relay reads the next one to where it was.
func TestWholeIsNotCopied(t *testing.T) {
	t.Parallel()
	body := []byte(`{"choices":[{"index":0,"message":{"content":"clean words"}}]}` + "\n")
	cfg := testConfig(t)
	cfg.Framing = wire.JSON
	out, _, err := New(cfg).Whole(nil, body)
	if err != nil || &out[0] != &body[0] {
		t.Errorf("%q, %v: copied", out, err)
	}
	cfg.Framing = wire.Records
	r := New(cfg)
	first, err := r.Append(nil, body)
	next, _ := r.Append(nil, []byte(strings.Repeat(" ", len(body)-1)+"\n"))
	if err != nil || string(first) != string(body) {
		t.Errorf("%q, %v, then %q", first, err, next)
	}
}
