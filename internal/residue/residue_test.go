package residue

import (
	"reflect"
	"strings"
	"testing"
)

type kept struct {
	text    string
	bytes   []byte
	hash    uint64
	next    *kept
	any     any
	entries map[string]int
	block   [2]kept2
}

type kept2 struct{ parts []string }

// TestSearch: a mark is found wherever Go can keep it, also behind the length of a slice.
func TestSearch(t *testing.T) {
	t.Parallel()
	const mark = "quebec"
	behind := append(make([]byte, 0, 40), "the queb is behind the length"...)[:2]
	for path, value := range map[string]*kept{
		"v.text":              {text: "a quebec"},
		"v.bytes":             {bytes: []byte("xquebx")},
		"v.next.bytes":        {next: &kept{bytes: behind}},
		"v.hash":              {hash: 7},
		"v.any.text":          {any: &kept{text: mark}},
		"v.entries":           {entries: map[string]int{"a": 1}},
		"v.block[1].parts[0]": {block: [2]kept2{{}, {parts: append(make([]string, 0, 1), mark)[:0]}}},
	} {
		s := Search{Mark: mark, Hashes: map[uint64]bool{7: true}}
		if s.In("v", value); len(s.Found) != 1 || !strings.HasPrefix(s.Found[0], path+": ") {
			t.Errorf("%s: found %q", path, s.Found)
		}
	}
	circle := &kept{text: "quebe", hash: 8, entries: map[string]int{}}
	circle.next = circle
	s := Search{Mark: mark, Hashes: map[uint64]bool{7: true}}
	if s.In("v", circle); len(s.Found) > 0 || s.Size == 0 {
		t.Errorf("found %q, %d bytes", s.Found, s.Size)
	}
}

// TestPointers: banned pointers are found, and shared ones are not followed.
func TestPointers(t *testing.T) {
	t.Parallel()
	v := &kept{next: &kept{text: "quebec"}}
	every := func(reflect.Type) bool { return true }
	banned, shared := Search{Mark: "quebec", Banned: every}, Search{Mark: "quebec", Shared: every}
	banned.In("v", v)
	shared.In("v", v)
	if len(banned.Found) != 1 || banned.Found[0] != "v.next: *residue.kept" || len(shared.Found) != 0 {
		t.Errorf("found %q and %q", banned.Found, shared.Found)
	}
}
