package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMeasure: every row is measured, also with everything on, and clean text has no finding.
func TestMeasure(t *testing.T) {
	t.Chdir("../..")
	tsv := filepath.Join(t.TempDir(), "figures.tsv")
	var out, errs bytes.Buffer
	if err := run(t.Context(), []string{"-sizes", "0.05,0.1", "-words", "2000", "-rounds", "2", "-tsv", tsv}, &out, &errs); err != nil {
		t.Fatal(err, errs.String())
	}
	for _, want := range []string{"\n2000 words read, 0.1 MB indexed, 0 findings\n", "naive: TestString ", " everything but despaced "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	figures, err := os.ReadFile(tsv)
	if err != nil {
		t.Fatal(err)
	}
	if rows := strings.Count(string(figures), "\n"); rows != 2*20 || strings.Count("\n"+string(figures), "\neverything\t") != 2 {
		t.Errorf("%d rows:\n%s", rows, figures)
	}
}

// TestUsage: contradictions and files that are missing are errors.
func TestUsage(t *testing.T) {
	for args, want := range map[string]string{
		"-rounds 0":       "-rounds",
		"-words 1":        "-words",
		"-sizes x":        "-sizes",
		"-corpus nowhere": "nowhere",
		"-sizes 1":        "root of the repository",
	} {
		var out bytes.Buffer
		if err := run(t.Context(), strings.Fields(args), &out, &out); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", args, err)
		}
	}
}
