package detect

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"noecho/internal/raced"
)

// redact writes pieces to a Redactor and returns the output and the findings.
func redact(t testing.TB, ix Index, n int, cfg Config, pieces ...string) (string, []*Finding, error) {
	t.Helper()
	var out bytes.Buffer
	r := NewRedactor(&out, New(ix, spec(n), cfg), "¤")
	var findings []*Finding
	var failed error
	for _, p := range pieces {
		read, err := io.WriteString(r, p)
		if err == nil && read != len(p) {
			t.Fatalf("%d of %d bytes read without an error", read, len(p))
		}
		failed = errors.Join(failed, err)
		findings = r.Findings(findings)
	}
	if err := r.Close(); failed == nil {
		failed = err
	}
	return out.String(), r.Findings(findings), failed
}

func TestRedactor(t *testing.T) {
	t.Parallel()
	ix := parts{Set: newPlainSet(10, record, shortRecord), phrases: newPlainPhrases(people())}
	words := strings.Fields(record)
	for _, tt := range []struct {
		name, text, want string
		cfg              Config
		findings         int
		err              error
	}{
		{"nothing", "", "", Config{}, 0, nil},
		{"clean", "Nothing of this is indexed, é.", "Nothing of this is indexed, é.", Config{}, 0, nil},
		{"one", "It was: " + record + ". So?", "It was: ¤. So?", Config{}, 1, nil},
		{"all of it", record, "¤", Config{}, 1, nil},
		{"nine words", strings.Join(words[:9], " ") + " zulu", strings.Join(words[:9], " ") + " zulu", Config{}, 0, nil},
		{"two", record + " and " + shortRecord + "!", "¤ and ¤!", Config{}, 2, nil},
		{"two kinds", "Mail jo@example.org: " + record, "Mail ¤: ¤", Config{}, 2, nil},
		{"one within another", strings.Join(words[:6], " ") + " " + strings.Join(words, " ") + " jo@example.org", strings.Join(words[:6], " ") + " ¤ ¤", Config{}, 2, nil},
		{"the sentence", "First. It was: " + record + ". Last.", "First. ¤Last.", Config{Extent: ExtentSentence}, 1, nil},
		{"the rest", "First. It was: " + record + ". Last.", "First. It was: ¤", Config{Extent: ExtentRest}, 1, nil},
		{"observed", "It was: " + record + ".", "It was: " + record + ".", Config{Judge: always(Observe)}, 1, nil},
		{"blocked", "It was: " + record + ". So?", "It was: ", Config{Judge: always(Block)}, 1, ErrBlocked},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check := func(pieces ...string) {
				t.Helper()
				if got, findings, err := redact(t, ix, 10, tt.cfg, pieces...); got != tt.want || len(findings) != tt.findings || !errors.Is(err, tt.err) {
					t.Fatalf("%q: %q, %d findings, %v, want %q, %d, %v", pieces, got, len(findings), err, tt.want, tt.findings, tt.err)
				}
			}
			for cut := range len(tt.text) + 1 {
				check(tt.text[:cut], tt.text[cut:])
			}
			check(strings.Split(tt.text, "")...)
		})
	}
}

// TestRedactorMixtures: the output is the same for every split, and its text is all
// bytes that no finding covers, in order.
func TestRedactorMixtures(t *testing.T) {
	t.Parallel()
	for seed := range uint64(raced.Fewer(300)) {
		m := mixed(seed)
		m.cfg.MaxHeld = 0
		r := rand.New(rand.NewPCG(seed, 41))
		whole, findings, err := redact(t, m.index, m.n, m.cfg, m.text)
		if err != nil {
			t.Fatal(err)
		}
		var clean strings.Builder
		acted := runPieces(t, New(m.index, spec(m.n), m.cfg), []string{m.text}).acted
		for i := range len(m.text) {
			if !acted[i] {
				clean.WriteByte(m.text[i])
			}
		}
		if got := strings.ReplaceAll(whole, "¤", ""); got != clean.String() {
			t.Fatalf("seed %d: %q, want %q", seed, got, clean.String())
		}
		if masks := strings.Count(whole, "¤"); masks > len(findings) {
			t.Fatalf("seed %d: %d masks for %d findings in %q", seed, masks, len(findings), whole)
		}
		for range 3 {
			pieces := randomPieces(r, m.text)
			if got, _, _ := redact(t, m.index, m.n, m.cfg, pieces...); got != whole {
				t.Fatalf("seed %d: %q\n got %q\nwant %q", seed, pieces, got, whole)
			}
		}
	}
}

// failing is a writer that fails after so many bytes.
type failing struct {
	left int
	err  error
}

func (f *failing) Write(p []byte) (int, error) {
	n := min(f.left, len(p))
	f.left -= n
	if n < len(p) {
		return n, f.err
	}
	return n, nil
}

// TestRedactorErrors: the first error is returned by every later call, findings are
// reported all the same, and nothing more is written.
func TestRedactorErrors(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	for _, tt := range []struct {
		w    failing
		want error
	}{{failing{12, full}, full}, {failing{12, nil}, io.ErrShortWrite}} {
		r := NewRedactor(&tt.w, New(newPlainSet(10, record), spec(10), Config{}), "¤")
		_, first := io.WriteString(r, "Words of no record, and some more of them: "+record)
		n, second := io.WriteString(r, "more")
		if n != 0 {
			t.Errorf("%d bytes read after an error", n)
		}
		for _, err := range []error{first, second, r.Close(), r.Close()} {
			if !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		}
		if findings := r.Findings(nil); len(findings) != 1 {
			t.Errorf("%d findings", len(findings))
		}
	}
	r := NewRedactor(io.Discard, New(newPlainSet(10, record), spec(10), Config{}), "¤")
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error("closed twice:", err)
	}
	if _, err := io.WriteString(r, "more"); err == nil {
		t.Error("written behind the end")
	}
}

func TestRedactorDoesNotAllocate(t *testing.T) {
	d := New(newPlainSet(10, record), spec(10), Config{})
	text := []byte(strings.Repeat("none of these words is known to the index, alpha bravo apart. ", 2000))
	r := NewRedactor(io.Discard, d, "¤")
	if n := testing.AllocsPerRun(10, func() {
		if _, err := r.Write(text); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
