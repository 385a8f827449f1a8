package noecho_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCompat gives today's program the files that the program of commit 95f9602 wrote:
// indexes, the full configuration of its time, alerts. It has to understand them as
// that program did. The files of testdata/compat are never made anew; a format that
// changes gets a second set.
func TestCompat(t *testing.T) {
	t.Parallel()
	bin := build(t)
	dir := copyDated(t, "testdata/compat")
	for _, name := range []string{"answers.txt", "answers.jsonl"} {
		copyFile(t, filepath.Join("testdata/net", name), filepath.Join(dir, name))
	}
	for _, tt := range []struct{ want, command string }{
		{"chat.info.json", "index info --json chat.nidx"},
		{"mixed.info.json", "index info --json mixed.nidx"},
		{"merged.info.json", "index info --json merged.nidx"},
		{"chat.scan.jsonl", "scan --json --index chat.nidx answers.txt answers.jsonl"},
		{"mixed.scan.jsonl", "scan --json --index mixed.nidx answers.txt answers.jsonl"},
		{"merged.scan.jsonl", "scan --json --index merged.nidx answers.txt answers.jsonl"},
		{"tail.txt", "tail alerts.jsonl"},
		{"alerts.jsonl", "tail --json alerts.jsonl"},
	} {
		want, err := os.ReadFile(filepath.Join("testdata/compat", tt.want))
		if err != nil {
			t.Fatal(err)
		}
		if got, errs, _ := runIn(t, dir, bin, strings.Fields(tt.command)...); string(got) != string(want) {
			t.Errorf("noecho %s:\n%s\nwant %s\n%s", tt.command, got, want, errs)
		}
	}

	// The configuration names two indexes and two secrets.
	copyFile(t, "testdata/compat/chat.nidx", filepath.Join(dir, "more.nidx"))
	for name, secret := range map[string]string{"admin.token": "a-token-of-many-characters", "principal.key": "a key of at least thirty-two bytes"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range []string{"index verify chat.nidx", "index verify mixed.nidx", "index verify merged.nidx", "check --config full.yaml"} {
		if out, errs, code := runIn(t, dir, bin, strings.Fields(command)...); code != 0 {
			t.Errorf("noecho %s: exit %d\n%s%s", command, code, out, errs)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
