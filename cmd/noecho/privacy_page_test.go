package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestPrivacyPage pastes the commands of docs/privacy.md into a shell, in their order. Only the date of
// the letter is another one.
func TestPrivacyPage(t *testing.T) {
	t.Parallel()
	for _, need := range []string{"sh", "cut", "sha256sum"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Skipf("needs %s: %v", need, err)
		}
	}
	dir := t.TempDir()
	var next strings.Builder
	for i := range 30 {
		fmt.Fprintf(&next, `{"messages":[{"role":"user","content":"question %d about the blue %d, the green %d and the red %d"},{"role":"assistant","content":"so it is"}]}`+"\n", i, i, i, i)
	}
	row := `{"messages":[{"role":"user","content":"I am Ann Ray and live by the sea. Write to ann@example.org, or call 020 7946 0958."}]}` + "\n"
	for name, text := range map[string]string{
		"train.jsonl": next.String() + row, "next.jsonl": next.String(), "reason.txt": "Ms Ray has to name the product", "alerts.jsonl": "",
		"people.csv":        "id,name\np1,Ann Ray\n",
		"train.safetensors": "old", "next.safetensors": "new",
		"request.json": `{"email": "ann@example.org", "phone": ["+44 20 7946 0958"], "name": "Ann Ray"}`,
	} {
		writeText(t, filepath.Join(dir, name), text)
	}
	// Exit codes of commands, apart from 0.
	codes := map[string]int{"noecho inventory": exitFindings}
	var script strings.Builder
	var want []string
	for _, line := range pageCommands(string(readFile(t, "../../docs/privacy.md"))) {
		line = strings.ReplaceAll(line, "2026-11-02", time.Now().UTC().Format(time.DateOnly))
		fmt.Fprintf(&script, "%s\necho \"exit code $?\" >&3\n", line)
		code := 0
		for head, c := range codes {
			if strings.HasPrefix(line, head) {
				code = c
			}
		}
		want = append(want, fmt.Sprintf("exit code %d", code))
	}
	cmd := exec.Command("sh", "-c", "exec 3>codes\n"+script.String())
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := strings.TrimSpace(string(readFile(t, filepath.Join(dir, "codes"))))
	if got != strings.Join(want, "\n") || len(want) < 18 {
		t.Errorf("the %d commands of the page:\n%s\nhave the exit codes\n%s\nand write\n%s", len(want), script.String(), got, out)
	}
	if !strings.Contains(string(out), "the receipt is about 3 identifiers of the query") {
		t.Errorf("the receipt is not the person's: %s", out)
	}
	for _, name := range []string{"purge.html", "answer.html", "packet.html", "receipt.html"} {
		if page := string(readFile(t, filepath.Join(dir, name))); !strings.HasPrefix(page, "<!DOCTYPE html>") || !strings.Contains(page, "@media print") {
			t.Errorf("%s: %s", name, page)
		}
	}
}

// pageCommands returns the commands in the blocks of sh of a page, those of several lines joined.
func pageCommands(page string) (all []string) {
	blocks := strings.Split(page, "```sh\n")
	for _, block := range blocks[1:] {
		block, _, _ = strings.Cut(block, "```")
		for line := range strings.Lines(strings.ReplaceAll(block, "\\\n", " ")) {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}
