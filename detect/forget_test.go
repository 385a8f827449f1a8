package detect

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unsafe"
)

// TestForget: a detector that forgets keeps nothing of its channel and of the prompt: neither
// bytes nor hashes of words, messages or findings. Every value that it leads to is looked at.
func TestForget(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, record, laneRecord)
	secret := "quebec"
	prompt := "what follows " + strings.Repeat(secret+" ", 3) + strings.Join(strings.Fields(record)[:8], " ")
	words := map[uint64]bool{}
	for _, w := range wordsOf(prompt + " " + record + " " + laneRecord + " " + cleanText) {
		words[w.Hash] = true
	}
	answers := []string{
		record + " and then", cleanText, spaced(record), strings.Repeat(secret+" ", 200), strings.Join(strings.Fields(record)[8:], " ") + " x",
		laneRecord + ".", "d2hhdCBmb2xsb3dzIGlzIGEgcXVlYmVjIGFuZCBhIHF1ZWJlYyBhbmQgYSBxdWViZWM= " + secret,
	}
	for _, release := range []Release{Adaptive, Strict} {
		d := &Detector{}
		for i, text := range answers {
			m := NewMessage(set, spec(10), []byte(prompt))
			cfg := Config{
				Lanes: AllLanes, Release: release, Extent: ExtentSentence, Answer: &Answer{}, LaneMemory: &LaneMemory{},
				Prompt: &Prompt{Messages: []*Message{m}, Tail: []byte(prompt), Suffix: []byte(prompt), Raw: true},
			}
			d.Reset(set, spec(10), cfg)
			for j := 0; j < len(text); j += 7 {
				d.Append(nil, []byte(text[j:min(j+7, len(text))]))
				if j%3 == 0 {
					d.Park(nil)
				}
			}
			if i%2 == 0 {
				d.Finish(nil)
			}
			d.Reset(nil, spec(10), Config{})
			d.Reset(nil, spec(10), Config{})
			w := walk{secret: []byte(secret), words: words, seen: map[unsafe.Pointer]bool{}}
			w.value("detector", reflect.ValueOf(d).Elem())
			if len(w.found) > 0 {
				t.Errorf("answer %d: %s", i, strings.Join(w.found, "\n"))
			}
		}
	}
}

// spaced puts spaces between the letters of a text.
func spaced(s string) string { return strings.Join(strings.Split(s, ""), " ") }

// walk looks at every value that another leads to.
type walk struct {
	secret []byte
	words  map[uint64]bool
	seen   map[unsafe.Pointer]bool
	found  []string
}

func (w *walk) value(at string, v reflect.Value) {
	if len(w.found) > 20 {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := v.UnsafePointer()
		if v.IsNil() || w.seen[p] {
			return
		}
		w.seen[p] = true
		switch v.Interface().(type) {
		case *Message, *Prompt, *Finding, *Answer:
			w.found = append(w.found, fmt.Sprintf("%s: %v", at, v.Type()))
			return
		}
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
		w.elements(at, v.Slice3(0, v.Cap(), v.Cap()))
	case reflect.Array:
		w.elements(at, v)
	case reflect.Uint64:
		if w.words[v.Uint()] {
			w.found = append(w.found, at+": the hash of a word")
		}
	case reflect.String:
		if strings.Contains(v.String(), string(w.secret)) {
			w.found = append(w.found, at+": the text")
		}
	}
}

func (w *walk) elements(at string, v reflect.Value) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		all := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(all), v)
		if bytes.Contains(all, w.secret[:4]) {
			w.found = append(w.found, fmt.Sprintf("%s: the text in %q", at, all))
		}
		return
	}
	for i := range v.Len() {
		w.value(fmt.Sprintf("%s[%d]", at, i), v.Index(i))
	}
}
