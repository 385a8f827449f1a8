package detect

import (
	"fmt"
	"strings"
	"testing"

	"noecho/ngram"
)

// countedSet counts the look-ups of an index.
type countedSet struct {
	Index
	n int64
}

func (s *countedSet) Gate2(h ngram.Hash) bool  { s.n++; return s.Index.Gate2(h) }
func (s *countedSet) Gate4(h ngram.Hash) bool  { s.n++; return s.Index.Gate4(h) }
func (s *countedSet) Window(h ngram.Hash) bool { s.n++; return s.Index.Window(h) }
func (s *countedSet) Word(h ngram.Hash) bool   { s.n++; return s.Index.Word(h) }

// TestJoinWork: whatever a request is made of, the look-ups of its answer grow no faster
// than its prompt, and stay below the bound for each of its words.
func TestJoinWork(t *testing.T) {
	t.Parallel()
	words := strings.Fields(record)
	part := func(lo, hi int) string { return strings.Join(words[lo:hi], " ") }
	each := func(n int, text func(i int) string) []string {
		var all []string
		for i := range n {
			all = append(all, text(i))
		}
		return all
	}
	long := strings.Repeat(record+" ", 4)
	for _, tt := range []struct {
		name     string
		messages func(n int) []string
		answers  func(n int) []string // pieces of a channel each, with a pause behind each piece
	}{
		{
			"equal beginnings", func(n int) []string { return each(n, func(int) string { return part(0, 5) }) },
			func(int) []string { return []string{part(5, 14)} },
		},
		{
			"beginnings", func(n int) []string {
				return each(n, func(i int) string { return fmt.Sprint("x", i, " ", part(0, 5)) })
			},
			func(int) []string { return []string{part(5, 14)} },
		},
		{
			"endings", func(n int) []string { return each(n, func(i int) string { return fmt.Sprint(part(5, 10), " x", i) }) },
			func(int) []string { return []string{part(0, 5)} },
		},
		{
			"one message", func(n int) []string { return []string{strings.Repeat(part(0, 5)+" ", n)} },
			func(int) []string { return []string{part(5, 14)} },
		},
		{
			"single words", func(n int) []string { return each(n, func(i int) string { return fmt.Sprint("x", i, " ", words[0]) }) },
			func(int) []string { return []string{part(1, 10)} },
		},
		{
			"a word a message", func(n int) []string { return each(n, func(i int) string { return words[i%9] }) },
			func(int) []string { return []string{part(9, 16)} },
		},
		{
			"the index itself", func(n int) []string { return each(n, func(i int) string { return fmt.Sprint("x", i, " ", long) }) },
			func(n int) []string { return each(min(n, 150), func(i int) string { return part(i%7, 16) }) },
		},
		{
			"many channels", func(n int) []string {
				return each(n, func(i int) string { return fmt.Sprint("x", i, " ", part(0, 9)) })
			},
			func(n int) []string { return each(min(n, 400), func(int) string { return part(9, 10) + " zulu" }) },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			set := &countedSet{Index: newPlainSet(10, long)}
			work := func(n int) (steps, words int64) {
				p := &Prompt{}
				for _, text := range tt.messages(n) {
					p.Messages = append(p.Messages, NewMessage(set, spec(10), []byte(text)))
				}
				set.n = 0
				d := New(set, spec(10), Config{})
				for _, text := range tt.answers(n) {
					d.Reset(set, spec(10), Config{Prompt: p})
					d.Append(nil, []byte(text))
					d.Park(nil)
					d.Append(nil, []byte(" and"))
					d.Finish(nil)
				}
				if s := p.spent.Load(); s > max(joinsLeast, joinsEach*p.all().words)*5/4 {
					t.Errorf("%d messages: %d look-ups spent for %d words", n, s, p.all().words)
				}
				return set.n + p.spent.Load(), p.all().words
			}
			small, _ := work(500)
			large, n := work(4000)
			if large > 9*small || large > 2*joinsEach*n+2*joinsLeast {
				t.Errorf("%d look-ups for 500 messages, %d for 4000", small, large)
			}
		})
	}
}

// TestDone: once nobody waits for the answer, nothing more is decided, and findings that
// are open are complete.
func TestDone(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, record)
	done := make(chan struct{})
	p := &Prompt{Messages: []*Message{NewMessage(set, spec(10), []byte(record))}}
	d := New(set, spec(10), Config{Prompt: p, Done: done})
	segments := d.Append(nil, []byte("so it is one "+record))
	at := d.Frontier()
	close(done)
	segments = d.Append(segments, []byte(strings.Repeat(" more words of it", 2000)))
	if d.Frontier() > 20000 {
		t.Errorf("%d bytes decided", d.Frontier())
	}
	segments = d.Finish(d.Park(segments))
	if d.Frontier() > 20000 || d.Frontier() < at || len(segments) == 0 || segments[len(segments)-1].Span.Hi != d.Frontier() {
		t.Errorf("frontier %d", d.Frontier())
	}
	// The last words cannot be joined: they stay where they are.
	d.Reset(set, spec(10), Config{Prompt: p, Done: done})
	if segments = d.Finish(d.Append(nil, []byte("alpha bravo charlie delta"))); len(segments) > 0 {
		t.Errorf("%v", segments)
	}
	// A run that is open when it ends is reported.
	d.Reset(set, spec(10), Config{Done: done})
	d.Append(nil, []byte(record))
	d.Finish(nil)
	if found := d.Closed(nil); len(found) != 1 || found[0].Kind != Verbatim {
		t.Errorf("%d findings", len(found))
	}
}

// TestJoinsSpent: words that cannot be looked up any more are withheld, at the beginning
// and at the end of a channel.
func TestJoinsSpent(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, record)
	words := strings.Fields(record)
	part := func(lo, hi int) string { return strings.Join(words[lo:hi], " ") }
	for _, tt := range []struct{ prompt, answer, want string }{
		{part(0, 2), part(2, 12), "¤"},
		{part(0, 9), part(9, 10) + " zulu and more", "¤ zulu and ¤"}, // more may precede the message
		{part(9, 16), "it is " + part(0, 9), "it is ¤"},
		{part(0, 8), "zulu is clean", "zulu is clean"},
		{"nothing of it", part(0, 5) + " zulu", part(0, 5) + " zulu"},
	} {
		p := &Prompt{Messages: []*Message{NewMessage(set, spec(10), []byte(tt.prompt))}}
		p.spent.Store(1 << 40)
		for cut := range len(tt.answer) + 1 {
			d := New(set, spec(10), Config{Prompt: p})
			got, findings := drive(d, tt.answer[:cut], tt.answer[cut:])
			if got != tt.want || got == tt.answer && len(findings) > 0 || got != tt.answer && findings[0].Kind != Overflow && findings[0].Kind != Verbatim {
				t.Fatalf("%q behind %q, cut at %d: %q, %d findings", tt.answer, tt.prompt, cut, got, len(findings))
			}
		}
	}
}
