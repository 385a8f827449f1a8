package policy

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"noecho/detect"
	"noecho/internal/ignore"
	"noecho/ngram"
	"noecho/proxy/alert"
)

// TestHabits: ten records within a day are many, and a caller without a past has no rate.
func TestHabits(t *testing.T) {
	t.Parallel()
	c := newClock()
	h := NewHabits(c.now)
	note := func(caller, record string, records, rate bool) {
		t.Helper()
		if r, a := h.Note(caller, record); r != records || a != rate {
			t.Errorf("%s in %s: records %t, rate %t", caller, record, r, a)
		}
	}
	for i := range 30 {
		note("first hour", "same", false, false)
		note("no record", "", false, false)
		note("many", fmt.Sprint(i), i >= 9, false)
	}
	c.move(time.Hour)
	note("many", "0", true, false)
	c.move(26 * time.Hour) // the ten are forgotten
	note("many", "new", false, false)

	for range 24 {
		note("steady", "a", false, false)
		note("steady", "a", false, false)
		c.move(time.Hour)
	}
	for i := range 20 {
		note("steady", "a", false, i >= 9) // ten, and more than four times two
	}
	c.move(time.Hour)
	note("steady", "a", false, false)
	c.move(1000 * time.Hour)
	note("steady", "a", false, false)
	if h.Renew() != h || (*Habits)(nil).Renew() == nil {
		t.Error("not renewed")
	}
}

// TestRuleNames: the alert names what decided.
func TestRuleNames(t *testing.T) {
	t.Parallel()
	record := func(label string) *Records {
		return &Records{Labels: []string{Erased, Restricted}, Record: func(ngram.Place) (alert.Record, bool) {
			return alert.Record{ID: "r", Dataset: "d", Labels: []string{label}}, true
		}}
	}
	f := detect.Finding{Kind: detect.Verbatim, Words: 12, Windows: 1, Places: []ngram.Place{7}, Digests: []uint64{1}}
	echo := f
	echo.Echo = true
	for _, tt := range []struct {
		rules, label string
		f            *detect.Finding
		action       detect.Action
		want         string
	}{
		{"", "x", &f, detect.Redact, "mode"},
		{"", Restricted, &f, detect.Block, Restricted},
		{"", Erased, &f, detect.Block, Erased},
		{"rules: [{when: {kind: near}, action: block}, {when: {dataset: d}, action: observe}]", "x", &f, detect.Observe, "rule 2"},
		{"budget: {findings: 1, then: block}", "x", &f, detect.Block, "budget"},
		{"", "x", &echo, detect.Observe, "echo"},
	} {
		cfg := load(t, tt.rules)
		j := Compile(cfg, record(tt.label)).For(Request{Mode: detect.Redact, Caller: "c"}, NewMeter(cfg.Budget, nil), nil)
		if got := j.Rule(tt.f, tt.action); got != tt.want {
			t.Errorf("%q, %s: %q, want %q", tt.rules, tt.label, got, tt.want)
		}
	}
}

// TestIgnores: only a finding of listed windows is ignored, and no identifier or erased record.
func TestIgnores(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	list := &ignore.List{}
	list.Add(ignore.Entry{Digest: 11}, ignore.Entry{Digest: 12}, ignore.Entry{Digest: 13, Until: now})
	for d := range uint64(100) {
		list.Add(ignore.Entry{Digest: 1010 + d})
	}
	many := make([]uint64, alert.MaxDigests)
	for i := range many {
		many[i] = uint64(1000 + i)
	}
	verbatim := func(digests ...uint64) detect.Finding {
		return detect.Finding{Kind: detect.Verbatim, Words: 12, Digests: digests, Places: []ngram.Place{7}}
	}
	phrase := func(kind string, subject uint64) detect.Finding {
		f := verbatim(1)
		f.Kind, f.Phrase = detect.Phrase, &ngram.Phrase{Kind: kind, Subject: subject}
		return f
	}
	echo := verbatim(1)
	echo.Echo = true
	for _, tt := range []struct {
		name  string
		f     detect.Finding
		label string
		want  bool
	}{
		{"listed", verbatim(1, 2), "x", true},
		{"one more", verbatim(1, 2, 4), "x", false},
		{"expired", verbatim(1, 3), "x", false},
		{"none known", verbatim(), "x", false},
		{"nearly as many as an alert has", verbatim(many[:alert.MaxDigests-1]...), "x", true},
		{"as many as an alert has", verbatim(many...), "x", false},
		{"erased", verbatim(1), Erased, false},
		{"restricted", verbatim(1), Restricted, true},
		{"short text", phrase("phrase", 0), "x", true},
		{"short text of a person", phrase("phrase", 3), "x", false},
		{"address", phrase("email", 0), "x", false},
		{"person", phrase("subject", 3), "x", false},
		{"echo", echo, "x", false},
	} {
		cfg := load(t, "budget: {findings: 1, then: block}")
		rules := Compile(cfg, &Records{Labels: []string{Erased, Restricted}, Record: func(ngram.Place) (alert.Record, bool) {
			return alert.Record{ID: "r", Dataset: "d", Labels: []string{tt.label}}, true
		}})
		rules.Ignoring(list, func(d uint64) uint64 { return d + 10 }, func() time.Time { return now })
		meter := NewMeter(cfg.Budget, nil)
		for range 3 {
			meter.Count("c")
		}
		j := rules.For(Request{Mode: detect.Redact, Caller: "c"}, meter, nil)
		if got := j.Ignores(&tt.f); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
		if got := j.Judge(&tt.f) == detect.Observe; got != tt.want && !tt.f.Echo {
			t.Errorf("%s: observed %t", tt.name, got)
		}
		if tt.want && len(j.Signals(&tt.f, nil, "")) > 0 {
			t.Errorf("%s: signals", tt.name)
		}
	}
}

// TestSignals: each sign is named.
func TestSignals(t *testing.T) {
	t.Parallel()
	cfg := load(t, "budget: {findings: 2}")
	meter, habits := NewMeter(cfg.Budget, nil), NewHabits(nil)
	j := Compile(cfg, &Records{}).For(Request{Mode: detect.Redact, Caller: "c"}, meter, nil)
	var names []string
	for i, lane := range []string{"", "base64", "hyphenated"} {
		f := detect.Finding{Kind: detect.Verbatim}
		if lane != "" {
			f.Lane = laneOf(t, lane)
		}
		meter.Count("c")
		for _, s := range j.Signals(&f, habits, fmt.Sprint(i)) {
			names = append(names, lane+":"+string(s))
		}
	}
	if want := []string{"base64:disguise", "base64:budget", "hyphenated:budget"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}

func laneOf(t *testing.T, name string) detect.Lane {
	t.Helper()
	for l := detect.Plain; l < 200; l++ {
		if l.String() == name {
			return l
		}
	}
	t.Fatalf("no lane %q", name)
	return detect.Plain
}

// TestRecordCount: an alert names eight records and counts sixteen.
func TestRecordCount(t *testing.T) {
	t.Parallel()
	x := &Records{Record: func(p ngram.Place) (alert.Record, bool) {
		return alert.Record{ID: fmt.Sprint(p / 100), Dataset: "d"}, p < 5000
	}}
	places := func(n int) (all []ngram.Place) {
		for i := range n {
			all = append(all, ngram.Place(100*i), ngram.Place(100*i+1))
		}
		return all
	}
	for n, want := range map[int]int{0: 0, 1: 1, 12: 12, 16: 16, 30: 16} {
		if got := x.Count(&detect.Finding{Places: places(n)}); got != want {
			t.Errorf("%d records: %d, want %d", n, got, want)
		}
	}
	if got := new(Records).Count(&detect.Finding{Phrase: &ngram.Phrase{Records: 70}}); got != 16 {
		t.Errorf("a phrase: %d", got)
	}
}
