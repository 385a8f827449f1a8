package relay

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var updateNet = flag.Bool("update-net", false, "record the answers of TestAPIs in testdata/net.txt anew")

// netPrefix begins the names of the digests that TestAPIs answers for.
const netPrefix = "api/"

// An apiNet compares the outcomes of TestAPIs with the digests of testdata/net.txt
// at the root, which a program made that was known to be right.
type apiNet struct {
	file string

	mu     sync.Mutex
	others []string          // lines of the file that are not ours
	want   map[string]string // digests by name
	got    map[string]string
}

// openNet reads the digests. When the test ends, those without a case are errors.
func openNet(t *testing.T) *apiNet {
	t.Helper()
	root := "."
	for !exists(filepath.Join(root, "go.mod")) {
		root = filepath.Join("..", root)
	}
	n := &apiNet{file: filepath.Join(root, "testdata", "net.txt"), want: map[string]string{}, got: map[string]string{}}
	text, err := os.ReadFile(n.file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		digest, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if strings.HasPrefix(name, netPrefix) {
			n.want[name] = digest
		} else {
			n.others = append(n.others, line)
		}
	}
	t.Cleanup(func() { n.close(t) })
	return n
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// compare fails if an outcome is another than the one recorded.
func (n *apiNet) compare(t *testing.T, name string, o outcome) {
	t.Helper()
	ending := fmt.Sprint(o.err != nil, errors.Is(o.err, ErrBlocked))
	found := slices.Sorted(slices.Values(o.findings))
	digest := fmt.Sprintf("%.8x", sha256.Sum256(fmt.Appendf(nil, "%q %s %q %d %d %d", o.out, ending, found, o.counts.Scanned, o.counts.Passed, o.counts.Refused)))
	name = netPrefix + name
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, twice := n.got[name]; twice {
		t.Errorf("two cases are called %s", name)
	}
	n.got[name] = digest
	if !*updateNet && n.want[name] != digest {
		t.Errorf("%s: the answer is another than the one recorded in %s:\n%s\n%s %q %+v", name, n.file, o.out, ending, found, o.counts)
	}
}

// close writes the digests if asked to, and looks for those that nothing made.
func (n *apiNet) close(t *testing.T) {
	all := !strings.Contains(flag.Lookup("test.run").Value.String(), "/") // no case was left out
	if !*updateNet {
		for name := range n.want {
			if _, ok := n.got[name]; !ok && all {
				t.Errorf("%s: recorded in %s, but no case of TestAPIs", name, n.file)
			}
		}
		return
	}
	lines := n.others
	for name, digest := range n.got {
		lines = append(lines, digest+"  "+name+"\n")
	}
	// Comments first, then by name.
	slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(netKey(a), netKey(b)) })
	if err := os.WriteFile(n.file, []byte(strings.Join(lines, "")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// netKey is the key to sort a line of testdata/net.txt by: its name, and nothing for a comment.
func netKey(line string) string {
	if strings.HasPrefix(line, "#") {
		return ""
	}
	_, name, _ := strings.Cut(line, "  ")
	return name
}
