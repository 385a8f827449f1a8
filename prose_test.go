package noecho_test

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The largest shares of sentences with a bare clause, in percent.
const (
	maxBareComments = 1.0
	maxBareDocs     = 1.0
)

// A bare clause leaves out the noun it is about, so that the reader has to guess it:
// "what is held", "says what it reads", "who asks gets nothing". A clause after its noun
// is none: "the bytes that are buffered", "a caller who asks". TestProse counts the
// sentences with a bare clause; text in quotes and questions do not count. See all:
//
//	go test -count=1 -run TestProse -v .
var (
	bareWhat = regexp.MustCompile(`(?i)\b(what|whatever|whoever|whomever)\b`)
	although = regexp.MustCompile(`(?i)\bwhatever (the|an?|its|their|his|her)\b`) // "whatever the length"
	// "who" is bare at the start of a sentence or clause, and behind a word that
	// cannot be its noun.
	bareWho = regexp.MustCompile(`(?i)(^|[:;(] )(who|whom|whose)\b|\b(of|to|for|from|by|with|on|as|than|is|are|was|says?|said|tells?|told|knows?|known|asks?|decides?|names?|sees?|learns?|shows?|matter|that) who\b`)

	quoted      = regexp.MustCompile("`[^`]*`|\"[^\"]*\"|“[^”]*”")
	sentenceEnd = regexp.MustCompile(`[.!?][)"”]?(\s+|$)`)
	blockStart  = regexp.MustCompile(`\n\s*(#+|[*|-]|\d+\.)`) // a heading, a row, an item
	blankLine   = regexp.MustCompile(`\n\s*\n`)
)

// TestProse keeps the share of sentences with bare clauses below a bound, in the
// comments of the Go files and in the documents.
func TestProse(t *testing.T) {
	t.Parallel()
	sources, err := readSources(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	var comments, documents prose
	for _, s := range sources {
		for _, group := range s.file.Comments {
			comments.add(s.pkg, s.at(group.Pos()), group.Text())
		}
	}
	for name, page := range readPages(t) {
		if name != "docs/commands.md" { // the help texts, which TestDocs covers
			lines, _ := page.split()
			documents.add(name, name, blockStart.ReplaceAllString(strings.Join(lines, "\n"), "\n\n"))
		}
	}
	comments.check(t, "comments", maxBareComments)
	documents.check(t, "documents", maxBareDocs)
}

// TestProseCounts fixes which sentences count.
func TestProseCounts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"It returns what is held.":                         1,
		"What is held goes.":                               1,
		"whatever comes\nfirst":                            1,
		"Who asks twice waits.":                            1,
		"A caller who asks twice waits.":                   0,
		"the callers, one of whom waits":                   0,
		"It says who may call. It does.":                   1,
		"a stream in whose second block it is":             0,
		"whatever the length":                              0,
		"Is this what you want?":                           0,
		"The word \"what\" and `what x` do not count.":     0,
		"Read what stands there. Then what follows.":       2,
		"e.g. nothing of it, and somewhat more":            0,
		"An example:\n\n\twhat is code\n\nIs left out.":    0,
		"The bytes that are buffered leave with the next.": 0,
	} {
		var p prose
		p.add("x", "x", text)
		if got := len(p.bare["x"]); got != want {
			t.Errorf("%q: %d bare, want %d", text, got, want)
		}
	}
}

// prose counts sentences by folder or page.
type prose struct {
	sentences map[string]int
	bare      map[string][]string // "place: sentence"
}

// add reads a text whose indented lines are code.
func (p *prose) add(group, at, text string) {
	if p.bare == nil {
		p.sentences, p.bare = map[string]int{}, map[string][]string{}
	}
	for _, paragraph := range blankLine.Split(text, -1) {
		if strings.HasPrefix(paragraph, "\t") || strings.HasPrefix(paragraph, "    ") {
			continue
		}
		paragraph = strings.Join(strings.Fields(paragraph), " ")
		for paragraph != "" {
			end := len(paragraph)
			if at := sentenceEnd.FindStringIndex(paragraph); at != nil {
				end = at[1]
			}
			sentence := strings.TrimSpace(paragraph[:end])
			paragraph = paragraph[end:]
			p.sentences[group]++
			said := although.ReplaceAllString(quoted.ReplaceAllString(sentence, ""), "")
			if !strings.HasSuffix(said, "?") && (bareWhat.MatchString(said) || bareWho.MatchString(said)) {
				p.bare[group] = append(p.bare[group], at+": "+sentence)
			}
		}
	}
}

// check prints the counts of each group and the sentences, most first, and fails if
// the share of all is above limit percent.
func (p *prose) check(t *testing.T, kind string, limit float64) {
	t.Helper()
	all, bare := 0, 0
	groups := slices.SortedFunc(maps.Keys(p.sentences), func(a, b string) int {
		return cmp.Or(len(p.bare[b])-len(p.bare[a]), strings.Compare(a, b))
	})
	var report strings.Builder
	for _, g := range groups {
		all, bare = all+p.sentences[g], bare+len(p.bare[g])
		fmt.Fprintf(&report, "%5.1f %%  %4d of %5d  %s\n", percent(len(p.bare[g]), p.sentences[g]), len(p.bare[g]), p.sentences[g], g)
	}
	for _, g := range groups {
		for _, s := range p.bare[g] {
			report.WriteString(s + "\n")
		}
	}
	t.Logf("%s: %d of %d sentences have a bare clause, %.2f %%\n%s", kind, bare, all, percent(bare, all), report.String())
	if percent(bare, all) > limit {
		t.Errorf("%s: %.2f %% of the sentences have a bare clause, at most %v %%; see them with -v", kind, percent(bare, all), limit)
	}
}

func percent(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }
