package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestEvalCommandLine checks that a shell can read the command line of a report.
func TestEvalCommandLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--index", "a.nidx", "--corpus", "x.txt"}, "noecho eval --index a.nidx --corpus x.txt"},
		{[]string{"--corpus=a b", "--index=1", "--index=2", "--corpus=it's*"}, `noecho eval --index 1 --index 2 --corpus 'a b' --corpus 'it'\''s*'`},
		{
			[]string{"--seed=7", "--runs=10,20", "--roles", "user", "--roles", "tool", "--format=jsonl", "--field=", "--svg=x", "--json=y", "--markdown=-"},
			"noecho eval --field '' --format jsonl --roles user,tool --runs 10,20 --seed 7",
		},
		{[]string{"--outputs", "ü/$HOME", "--passages", "5", "--words", "20"}, "noecho eval --outputs 'ü/$HOME' --passages 5 --words 20"},
	} {
		// This is the command of the program, but it only reads its flags.
		e, cmd := newEval(&app{})
		cmd.RunE = func(*cobra.Command, []string) error { return nil }
		cmd.SetArgs(tt.args)
		if err := cmd.Execute(); err != nil {
			t.Fatal(err)
		}
		if got := e.commandLine(cmd); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.args, got, tt.want)
		}
	}
}

// TestReplaceFile checks that the new file is complete and no temporary file is left.
func TestReplaceFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "report.md")
	for _, text := range []string{"a longer text", "short"} {
		if err := replaceFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	if err := replaceFile(dir, nil); err == nil {
		t.Error("a folder was replaced")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if !slices.Equal(names, []string{"report.md"}) {
		t.Errorf("the folder contains %s", strings.Join(names, " "))
	}
	if err := replaceFile(os.DevNull, []byte("x")); err != nil {
		t.Errorf("write to a device: %v", err)
	}
}
