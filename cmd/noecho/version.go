package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"noecho/index"
	"noecho/ngram"
)

// version is set by the linker (-X main.version=v1.2.3). If it is empty or "dev", the
// version that the Go tool wrote into the program is used.
var version string

// buildInfo describes the program, and the versions that decide which indexes it can
// read.
type buildInfo struct {
	Version     string `json:"version"`
	Commit      string `json:"commit"`   // empty if unknown
	Modified    bool   `json:"modified"` // built from a tree that differs from the commit
	Go          string `json:"go"`
	Platform    string `json:"platform"`
	IndexFormat int    `json:"index_format"`
	Norm        int    `json:"norm"`
	Unicode     string `json:"unicode"`
}

// readBuildInfo describes the running program.
func readBuildInfo() buildInfo {
	b := buildInfo{
		Version:     version,
		Go:          runtime.Version(),
		Platform:    runtime.GOOS + "/" + runtime.GOARCH,
		IndexFormat: index.FormatVersion,
		Norm:        ngram.NormVersion,
		Unicode:     ngram.UnicodeVersion,
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.merge(info)
	}
	if b.Version == "" {
		b.Version = "dev"
	}
	return b
}

// merge fills in the fields that the Go tool knows and the linker does not set.
func (b *buildInfo) merge(info *debug.BuildInfo) {
	if (b.Version == "" || b.Version == "dev") && info.Main.Version != "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
}

func newVersionCommand(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version [--json]",
		Short: "Print the version of noecho and of the index format it reads",
		Long: `Print the version of noecho, and the versions that an index must have been built
with: its file format, and the rules by which text is split into words (norm,
Unicode). noecho refuses an index that was built with other ones.`,
		Example: `  noecho version
  noecho version --json`,
		DisableFlagsInUseLine: true,

		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			b := readBuildInfo()
			if asJSON {
				return json.NewEncoder(a.stdout).Encode(b)
			}
			return b.print(a.stdout)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// noArguments is [cobra.NoArgs] with the exit code of a usage error.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "" // says which kind of argument it probably is
	switch filepath.Ext(args[0]) {
	case ".yaml", ".yml":
		hint = "config"
	case ".nidx":
		hint = "index"
	}
	if cmd.Flags().Lookup(hint) != nil {
		hint = fmt.Sprintf("; did you mean --%s %s?", hint, args[0])
	} else {
		hint = ""
	}
	return usageError("%s takes no arguments, got %q%s", cmd.CommandPath(), args[0], hint)
}

func (b buildInfo) print(w io.Writer) error {
	commit := ""
	if b.Commit != "" {
		commit = ", commit " + b.Commit
	}
	if b.Modified {
		commit += " and changes"
	}
	_, err := fmt.Fprintf(w, "noecho %s (%s, %s%s)\nindex format %d, norm %d, Unicode %s\n",
		b.Version, b.Go, b.Platform, commit, b.IndexFormat, b.Norm, b.Unicode)
	return err
}
