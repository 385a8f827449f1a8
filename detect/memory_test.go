package detect

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// retained counts the bytes that a value keeps: those of every structure, array and slice
// that can be reached from it, slices with all their room. The index and the caller's
// prompt are shared and do not count.
func retained(v any, shared ...any) map[string]int64 {
	seen := map[uintptr]bool{}
	for _, s := range shared {
		seen[reflect.ValueOf(s).Pointer()] = true
	}
	by := map[string]int64{}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if v.IsNil() || seen[v.Pointer()] {
				return
			}
			seen[v.Pointer()] = true
			by[v.Type().Elem().String()] += int64(v.Type().Elem().Size())
			walk(v.Elem())
		case reflect.Interface:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Slice:
			if v.IsNil() || v.Cap() == 0 || seen[v.Pointer()] {
				return
			}
			seen[v.Pointer()] = true
			by[v.Type().String()] += int64(v.Cap()) * int64(v.Type().Elem().Size())
			if k := v.Type().Elem().Kind(); k >= reflect.Bool && k <= reflect.Complex128 {
				return
			}
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Array:
			if k := v.Type().Elem().Kind(); k >= reflect.Bool && k <= reflect.Complex128 {
				return
			}
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Map:
			for it := v.MapRange(); it.Next(); {
				by[v.Type().String()] += int64(v.Type().Key().Size() + v.Type().Elem().Size())
				walk(it.Key())
				walk(it.Value())
			}
		}
	}
	walk(reflect.ValueOf(v))
	return by
}

// total returns the sum of bytes.
func total(by map[string]int64) (n int64) {
	for _, b := range by {
		n += b
	}
	return n
}

// report returns the bytes of each type, most first.
func report(by map[string]int64) string {
	names := slices.SortedFunc(maps.Keys(by), func(a, b string) int { return cmp.Compare(by[b], by[a]) })
	var b strings.Builder
	for _, name := range names[:min(12, len(names))] {
		fmt.Fprintf(&b, "\n%9d %s", by[name], name)
	}
	return b.String()
}

// twoDeep returns texts that wake every lane, and every lane in the text of each: one lane
// after the other, and all of them at the same time.
func twoDeep() (turns, together string) {
	const sentence = "Alternating texts that wake one lane after the other and let it sleep, as a caller might ask for them"
	var one, all strings.Builder
	for _, inner := range spellings(sentence) {
		outer := spellings("So: " + inner + " and then hellothereallyoufinepeople of the town")
		for _, text := range outer {
			one.WriteString(text + "\n" + cleanText)
		}
		for i := 0; i < 40*len(sentence); i += 40 {
			for _, text := range outer {
				all.WriteString(text[min(i, len(text)):min(i+40, len(text))] + " ")
			}
		}
	}
	return one.String(), all.String()
}

// TestLaneMemory: the memory of a channel is bounded, also if every lane is awake and every
// lane in its text.
func TestLaneMemory(t *testing.T) {
	t.Parallel()
	set := newWordSet(10, record, laneRecord)
	turns, together := twoDeep()
	for name, text := range map[string]string{
		"in turn": turns, "together": together,
		"a word that does not end": "data " + base64.StdEncoding.EncodeToString([]byte("The committee agreed"+strings.Repeat("\u200b", 64<<10))),
	} {
		d := New(set, spec(10), Config{Lanes: AllLanes, LaneBudget: 1 << 40})
		var segs []Segment
		most := int64(0)
		for p := range slices.Chunk([]byte(text), 8<<10) {
			segs = d.Append(segs[:0], p)
			d.Closed(nil)
			by := retained(d, set, set.plainSet)
			if most = max(most, total(by)); most > 4<<20 {
				t.Fatalf("%s: %d bytes%s", name, most, report(by))
			}
		}
		t.Logf("%s: at most %d bytes", name, most)
	}
}

// TestStreamedMemory: a streamed channel gives the reading of the prompt's end back, and takes
// it again for the next channel.
func TestStreamedMemory(t *testing.T) {
	t.Parallel()
	set := newWordSet(10, record, laneRecord)
	prompt := &Prompt{Tail: []byte("tell me")}
	d := &Detector{}
	for range 2 {
		var sizes []int64
		d.Reset(set, spec(10), Config{Prompt: prompt, Streamed: true})
		for _, w := range strings.SplitAfter(strings.Repeat("none of these words is known ", longChannel), " ") {
			d.Append(nil, []byte(w))
			sizes = append(sizes, total(retained(d, set, set.plainSet, prompt)))
		}
		if first, last := sizes[0], sizes[len(sizes)-1]; first-last < 4<<10 {
			t.Errorf("%d bytes at the beginning, %d later", first, last)
		}
	}
}

// TestOpenStreamMemory: while an answer of one channel is clean, no lane and no reading of several
// channels has storage.
func TestOpenStreamMemory(t *testing.T) {
	t.Parallel()
	set := newWordSet(10, record, laneRecord)
	d := New(set, spec(10), Config{Lanes: AllLanes, LaneMemory: &LaneMemory{}, Answer: &Answer{}, Streamed: true})
	for _, w := range strings.SplitAfter(strings.Repeat(cleanText, 4), " ") {
		d.Append(nil, []byte(w))
	}
	if by := retained(d, set, set.plainSet); total(by) > 16<<10 {
		t.Errorf("%d bytes%s", total(by), report(by))
	}
}

// TestAnswerMemory: the channels of an answer share the memory of their lanes.
func TestAnswerMemory(t *testing.T) {
	t.Parallel()
	set := newWordSet(10, record, laneRecord)
	_, text := twoDeep()
	memory := &LaneMemory{}
	channels := make([]*Detector, 64)
	for i := range channels {
		channels[i] = New(set, spec(10), Config{Lanes: AllLanes, LaneBudget: 1 << 40, LaneMemory: memory})
	}
	var segs []Segment
	most := int64(0)
	for i, p := range slices.Collect(slices.Chunk([]byte(text[:256<<10]), 512)) {
		for k := range 4 {
			d := channels[(i+k)%len(channels)]
			segs = d.Append(segs[:0], p)
			d.Closed(nil)
		}
		if i%16 > 0 {
			continue
		}
		by := retained(channels, set, set.plainSet)
		if most = max(most, total(by)); most > 16<<20 {
			t.Fatalf("%d bytes%s", most, report(by))
		}
	}
	t.Logf("at most %d bytes in %d channels", most, len(channels))
}
