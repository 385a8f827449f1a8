package main

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

var manFolder = flag.String("man", "", "write the manual pages to this folder")

// TestMan makes a manual page of every command, see `make man`, and lets groff read them.
// The package that writes them stays out of the program.
func TestMan(t *testing.T) {
	dir := *manFolder
	if dir == "" {
		dir = t.TempDir()
	}
	root := newRootCommand(&app{getenv: func(string) string { return "" }})
	root.Long = "Each command has a page of its own, such as noecho-serve(1)."
	var names []string
	plain := strings.NewReplacer("*", `\*`, "_", `\_`, "<", `\<`) // the texts are no Markdown
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		c.DisableAutoGenTag = true
		if c.Long != "" {
			c.Long = "```\n" + c.Long + "\n```"
		}
		c.Flags().VisitAll(func(f *pflag.Flag) { f.Usage = plain.Replace(f.Usage) })
		names = append(names, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1")
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
	// The date is that of SOURCE_DATE_EPOCH, else today.
	if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "noecho", Manual: "noecho"}, dir); err != nil {
		t.Fatal(err)
	}
	if len(names) < 20 {
		t.Errorf("%d commands", len(names))
	}
	for _, name := range names {
		page, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{".TH ", "\n.SH NAME\n", "\n.SH SYNOPSIS\n"} {
			if !bytes.Contains(page, []byte(want)) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
		if groff, err := exec.LookPath("groff"); err == nil {
			cmd := exec.CommandContext(t.Context(), groff, "-k", "-man", "-Tutf8", "-wall", filepath.Join(dir, name))
			var warnings bytes.Buffer
			cmd.Stderr = &warnings
			if text, err := cmd.Output(); err != nil || warnings.Len() > 0 || len(text) < 100 {
				t.Errorf("%s: %v %s", name, err, warnings.String())
			}
		}
	}
}
