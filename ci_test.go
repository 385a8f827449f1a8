package noecho_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// maxMinutes is the most minutes that the stages of CI may take together, on two idle
// cores.
const maxMinutes = 18

// TestBudget checks .ci/budget: its stages are targets of the Makefile, its downloads
// are functions of .ci/run, and its minutes stay below maxMinutes.
func TestBudget(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	makefile, run := read("Makefile"), read(".ci/run")
	tenths, row := 0, regexp.MustCompile(`^([a-z-]+) +(\d+)\.(\d)((?: +[a-z]+)*)$`)
	for line := range strings.Lines(read(".ci/budget")) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		m := row.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("%q: want a stage, minutes with one decimal, downloads", line)
			continue
		}
		if !strings.Contains(makefile, "\n"+m[1]+":") {
			t.Errorf("%s: the Makefile has no such target", m[1])
		}
		n, err := strconv.Atoi(m[2] + m[3])
		if err != nil {
			t.Fatal(err)
		}
		tenths += n
		for _, need := range strings.Fields(m[4]) {
			if !strings.Contains(run, "\n"+need+"() {") || !strings.Contains(run, "\ndownload "+need+"\n") {
				t.Errorf("%s: .ci/run does not download %s", m[1], need)
			}
		}
	}
	if tenths == 0 || tenths > 10*maxMinutes {
		t.Errorf("the stages may take %d.%d minutes, at most %d", tenths/10, tenths%10, maxMinutes)
	}
}
