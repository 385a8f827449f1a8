package relay

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"noecho/detect"
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
		w := residue{mark: []byte(mark), seen: map[unsafe.Pointer]bool{}}
		w.value("relay", reflect.ValueOf(r).Elem())
		if len(w.found) > 0 {
			t.Errorf("%.80q: %s", body, strings.Join(w.found, "\n"))
		}
		if w.size > 2<<20 {
			t.Errorf("%.80q: %d KiB are kept", body, w.size>>10)
		}
	}
}

// residue looks at every value that another leads to for the bytes of a mark.
type residue struct {
	mark  []byte
	seen  map[unsafe.Pointer]bool
	found []string
	size  int
}

func (w *residue) value(at string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		p := v.UnsafePointer()
		if v.IsNil() || w.seen[p] || strings.Contains(v.Type().String(), "sync.") || strings.Contains(v.Type().String(), "wire.paths") {
			return
		}
		w.seen[p] = true
		w.size += int(v.Type().Elem().Size())
		w.value(at, v.Elem())
	case reflect.Interface:
		if !v.IsNil() {
			w.value(at, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			if f.CanAddr() { // also those that are not exported
				f = reflect.NewAt(f.Type(), f.Addr().UnsafePointer()).Elem()
			}
			w.value(at+"."+v.Type().Field(i).Name, f)
		}
	case reflect.Map:
		if v.Len() > 0 {
			w.found = append(w.found, at+": a map with entries")
		}
	case reflect.Slice:
		w.size += v.Cap() * int(v.Type().Elem().Size())
		w.elements(at, v.Slice3(0, v.Cap(), v.Cap()))
	case reflect.Array:
		w.elements(at, v)
	case reflect.String:
		if strings.Contains(v.String(), string(w.mark)) {
			w.found = append(w.found, at+": "+v.String())
		}
	}
}

func (w *residue) elements(at string, v reflect.Value) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		all := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(all), v)
		if bytes.Contains(all, w.mark[:4]) {
			w.found = append(w.found, fmt.Sprintf("%s: %.60q", at, all))
		}
		return
	}
	for i := range v.Len() {
		w.value(fmt.Sprintf("%s[%d]", at, i), v.Index(i))
	}
}

// TestPoolAllocs: a clean answer allocates little once the pool has a relay: its channels,
// its bytes, and nothing for each word.
func TestPoolAllocs(t *testing.T) {
	if raced { // there a sync.Pool drops a value now and then
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
