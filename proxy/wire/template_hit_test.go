package wire

import (
	"fmt"
	"testing"
)

// TestTemplateHit: a message that differs from the last one in contents only is not read.
func TestTemplateHit(t *testing.T) {
	t.Parallel()
	family := NewFamily(Family{Rules: []Rule{TextAt("text", "text"), NoText("type"), NoText("id"), ItemNumber("index"), EndReason("end", "")}})
	for _, tt := range []struct {
		last, next string
		hit        bool
	}{
		{`{"id":"a","text":"b","created":1}`, `{"id":"a","text":"b","created":1}`, true},
		{`{"id":"a","text":"b","created":1}`, `{"id":"","text":"some \u00e9 \"words\"","created":987}`, true},
		{`{"id":"a","text":"b","created":1}`, `{"id":"a b","text":"b","created":1}`, false},
		{`{"id":"a","text":"b","created":1}`, `{"id":"a","text":"","created":1}`, false},
		{`{"id":"a","text":"b","created":1}`, `{"id":"a","text":"b","created":1234567890}`, false},
		{`{"id":"a","text":"b","created":1}`, `{"id":"a","text":"b","created":1} `, false},
		{`{"text":"b","index":1}`, `{"text":"b","index":2}`, false},
		{`{"text":"b","type":"x"}`, `{"text":"b","type":"y"}`, false},
		{`{"text":"b","end":"x"}`, `{"text":"b","end":"y"}`, false},
		{`{"text":"b","a name":1}`, `{"text":"c","a name":1}`, false},
	} {
		family.paths.roots["x"] = 0 // so that messages have a kind
		l := NewLocator(family, SSE)
		l.template.loose = true
		for _, payload := range []string{tt.last, tt.next} {
			l.Release()
			if _, err := l.Locate([]byte(payload)); err != nil {
				t.Fatal(err)
			}
		}
		if hit := !l.reading; hit != tt.hit {
			t.Errorf("%s, then %s: known again: %v", tt.last, tt.next, hit)
		}
	}
}

// TestTemplateLoose: identifiers and numbers become holes only in a stream that changes them.
func TestTemplateLoose(t *testing.T) {
	t.Parallel()
	family := NewFamily(Family{Rules: []Rule{TextAt("text", "text"), NoText("id")}})
	l := NewLocator(family, SSE)
	read := 0
	for i := range 20 {
		l.Release()
		if _, err := l.Locate(fmt.Appendf(nil, `{"id":"a%d","text":"b","created":%d}`, i, i)); err != nil {
			t.Fatal(err)
		}
		if l.reading {
			read++
		}
	}
	if read != looseAfter+1 {
		t.Errorf("%d messages were read", read)
	}
}
