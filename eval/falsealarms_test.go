package eval

import (
	"slices"
	"strings"
	"testing"

	"noecho/detect"
	"noecho/ngram"
)

const (
	train = "first line\nthe quick brown fox jumps over the lazy dog and then sleeps\n" +
		"pack my box with five dozen liquor jugs before the naïve ship sails away today\n"
	quoted = "he said: The quick brown fox jumps over the lazy dog, and nothing else of note.\n" +
		"with five dozen liquor jugs before the naïve ship sails\n" +
		"with five dozen liquor jugs befоre the naive ship sails\n" + // a Cyrillic letter

		"the quick brown fox jumps over the lazy cat and then sleeps\n"
)

// asked returns an oracle that learned one held-out and one training text.
func asked(t *testing.T, held, train string) (*oracle, []ngram.Word) {
	t.Helper()
	spec, err := ngram.NewSpec(ngram.DefaultN, ngram.XXH64)
	if err != nil {
		t.Fatal(err)
	}
	words := func(text string) []ngram.Word {
		s := ngram.NewScanner(spec.Suite)
		return s.Finish(s.Append(nil, []byte(text)))
	}
	o := newOracle(spec)
	o.add([]byte(held), words(held))
	o.mark(0, []byte(train), words(train))
	return o, words(held)
}

func TestOracle(t *testing.T) {
	t.Parallel()
	o, words := asked(t, quoted, train)
	want := []struct {
		text   string
		line   int32
		letter bool
	}{
		{"The quick brown fox jumps over the lazy dog, and", 2, true},
		{"with five dozen liquor jugs before the naïve ship sails", 3, true},
		{"with five dozen liquor jugs befоre the naive ship sails", 3, false},
	}
	got := o.stretches(0)
	if len(got) != len(want) {
		t.Fatalf("%d stretches, want %d", len(got), len(want))
	}
	for i, s := range got {
		w := want[i]
		if text := quoted[words[s.first].Span.Lo:words[s.last].Span.Hi]; text != w.text {
			t.Errorf("stretch %d is %q, want %q", i, text, w.text)
		}
		p, ok := o.known(s.first)
		if !ok || p != (trainingPlace{doc: 1, line: w.line}) {
			t.Errorf("stretch %d is at %v, want line %d", i, p, w.line)
		}
		if o.toTheLetter(s.first) != w.letter {
			t.Errorf("stretch %d: to the letter %v, want %v", i, !w.letter, w.letter)
		}
	}
}

// Ten characters of an unspaced script are a window, but no finding.
func TestOracleWeighs(t *testing.T) {
	t.Parallel()
	const sentence = "ご迷惑をおかけして申し訳ございません"
	if o, _ := asked(t, sentence, sentence); len(o.stretches(0)) != 0 {
		t.Error("18 characters are found")
	}
	if o, _ := asked(t, sentence+"長らくお待たせいたしました", sentence+"長らくお待たせいたしました"); len(o.stretches(0)) != 1 {
		t.Error("31 characters are not found")
	}
}

// TestJudgeSees passes in findings that are wrong in one way each.
func TestJudgeSees(t *testing.T) {
	t.Parallel()
	at := func(text string) ngram.Span {
		lo := int64(strings.Index(quoted, text))
		return ngram.Span{Lo: lo, Hi: lo + int64(len(text))}
	}
	right := []*detect.Finding{
		{Kind: detect.Verbatim, Span: at("The quick brown fox jumps over the lazy dog, and")},
		{Kind: detect.Verbatim, Span: at("with five dozen liquor jugs before the naïve ship sails")},
		{Kind: detect.Verbatim, Span: at("with five dozen liquor jugs befоre the naive ship sails")},
	}
	with := func(i int, f *detect.Finding) []*detect.Finding {
		out := slices.Clone(right)
		out[i] = f
		return out
	}
	tests := []struct {
		name               string
		found              []*detect.Finding
		real, wrong, wants int
	}{
		{"right", right, 3, 0, 0},
		{"one missed", right[:2], 2, 0, 1},
		{"one invented", append(slices.Clone(right), &detect.Finding{Kind: detect.Verbatim, Span: at("the quick brown fox jumps over the lazy cat and")}), 3, 1, 0},
		{"a word too long", with(0, &detect.Finding{Kind: detect.Verbatim, Span: at("The quick brown fox jumps over the lazy dog, and nothing")}), 2, 1, 1},
		{"a word too short", with(0, &detect.Finding{Kind: detect.Verbatim, Span: at("quick brown fox jumps over the lazy dog, and")}), 2, 1, 1},
		{"another kind", with(0, &detect.Finding{Kind: detect.Overflow, Span: right[0].Span}), 2, 1, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, words := asked(t, quoted, train)
			r := &falseAlarmRun{oracle: o, doc: wholeTexts{text: []byte(quoted), words: words}}
			r.o = FalseAlarmOptions{Spec: o.spec, Train: []Document{{Name: "train.txt"}}, HeldOut: []Document{{Name: "held.txt"}}}
			r.judge(0, tt.found)
			if r.Quoted != tt.real || len(r.FalseAlarms) != tt.wrong || len(r.Missed) != tt.wants {
				t.Errorf("%d real, %d false, %d missed; want %d, %d, %d", r.Quoted, len(r.FalseAlarms), len(r.Missed), tt.real, tt.wrong, tt.wants)
			}
			if r.Clean() != (tt.wrong+tt.wants == 0) {
				t.Errorf("clean: %v", r.Clean())
			}
		})
	}
}

func TestDistribution(t *testing.T) {
	t.Parallel()
	var q Distribution
	for v := range 100 {
		q.add(v % 10)
	}
	if q.Total() != 100 || q.Mean() != 4.5 || q.Quantile(.5) != 4 || q.Quantile(.99) != 9 || q.From(9) != .1 {
		t.Errorf("total %d, mean %v, p50 %d, p99 %d, share %v", q.Total(), q.Mean(), q.Quantile(.5), q.Quantile(.99), q.From(9))
	}
	var none Distribution
	if none.Mean() != 0 || none.Quantile(.99) != 0 || none.From(9) != 0 {
		t.Error("a distribution of nothing is not zero")
	}
}
