package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"noecho/internal/trace"
	"noecho/proxy"
	"noecho/proxy/alert"
	"noecho/proxy/config"
	"noecho/proxy/policy"
)

func newCheckCommand(a *app) *cobra.Command {
	var o overlay
	var schema bool
	var probe bool
	cmd := &cobra.Command{
		Use:   "check [--config] FILE",
		Short: "Check a configuration and the indexes it names",
		Long: `Check a configuration file as noecho serve does before it starts: every key and
value, every byte of the indexes, the certificates and the admin token. No port is
opened and no server is called. NOECHO_ variables count as they do for serve. With
--probe each model server is asked for its models, without a credential: any answer will do,
and each receiver of alerts is connected to.

If the file has errors, all of them are printed at once, as file:line:column: message.
If it has none, each of its rules for findings is printed as a sentence. An index is
checked as noecho index verify does.

With --schema the JSON Schema of a configuration is printed, with which an editor
completes keys and marks mistakes.`,
		Example: `  noecho check /etc/noecho/config.yaml
  noecho check --schema > config.schema.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.changed = cmd.Flags().Changed
			switch {
			case schema:
				out := json.NewEncoder(a.stdout)
				out.SetIndent("", "  ")
				return out.Encode(config.JSONSchema())
			case len(args) > 1:
				return usageError("check reads one configuration, got %d", len(args))
			case len(args) == 1 && o.config != "":
				return usageError("two configurations are given: %s and, with --config, %s", args[0], o.config)
			case len(args) == 1:
				o.config = args[0]
			}
			if isIndex(o.config) {
				return verifyIndex(a, o.config, nil, false)
			}
			if o.config == "" && a.getenv("NOECHO_CONFIG") == "" {
				return usageError("no configuration is given: name a file, as noecho check FILE or in NOECHO_CONFIG")
			}
			cfg, err := o.load(a.getenv)
			if err == nil {
				err = check(a, cfg)
			}
			if err == nil && probe {
				err = errors.Join(probeUpstreams(cmd.Context(), a, &cfg), probeSinks(cmd.Context(), a, &cfg))
			}
			return err
		},
	}
	o.addConfig(cmd)
	cmd.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema of a configuration, and check nothing")
	cmd.Flags().BoolVar(&probe, "probe", false, "call each model server and connect to each receiver of alerts too; the exit code is 1 if one does not answer")
	return cmd
}

// probeUpstreams calls the model servers of a configuration.
func probeUpstreams(ctx context.Context, a *app, cfg *config.Config) error {
	lines, failed := proxy.Probe(ctx, cfg)
	for _, line := range lines {
		_, _ = fmt.Fprintln(a.stdout, line)
	}
	return errors.Join(failed...)
}

func check(a *app, cfg config.Config) error {
	var open proxy.Indexes
	summary, err := proxy.Check(cfg, func(cfg *config.Config) (_ proxy.Indexes, err error) {
		open, err = openSet(cfg)
		return open, err
	})
	if err == nil {
		var traces *trace.Tracer
		traces, err = openTraces(&cfg)
		traces.Close()
	}
	if err != nil {
		return serveError(err)
	}
	if err := checkSinks(&cfg, a.getenv); err != nil {
		return err
	}
	for _, w := range proxy.Warnings(&cfg) {
		_, _ = fmt.Fprintln(a.stderr, "warning: "+w)
	}
	lines := append([]string{"ok: " + strings.Join(summary, ", ")}, policy.Explain(&cfg)...)
	for _, f := range open.Files {
		if f.KeyID == "" {
			lines = append(lines, "Index "+f.Path+" has no key: everybody with a copy can test whether a text is in it.")
		}
	}
	_, err = fmt.Fprintln(a.stdout, strings.Join(lines, "\n"))
	return err
}

// beginning returns the first bytes of a regular file, none if it cannot be read.
func beginning(path string, most int64) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil // the bytes of a pipe can be read once only
	}
	head, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return nil
	}
	return head
}

// indexHead begins every index file.
const indexHead = "\x89NIDX\r\n\x1a"

// isIndex reports whether a file begins as an index does.
func isIndex(path string) bool { return string(beginning(path, 5)) == indexHead[:5] }

// mistaken says of a file that is taken for a configuration which other file it is and which
// command reads it. It returns nothing if the file may be a configuration.
func mistaken(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return "is a folder: name the configuration file in it"
	}
	if isIndex(path) {
		return "is an index: noecho index verify checks it, and --index names it"
	}
	lines := bufio.NewScanner(bytes.NewReader(beginning(path, 64<<10)))
	lines.Buffer(nil, 64<<10)
	var rows [2]bool
	for n := 0; n < len(rows) && lines.Scan(); n++ {
		var ev alert.Event
		if json.Unmarshal(lines.Bytes(), &ev) == nil && ev.V > 0 && ev.Type != "" {
			return "has alerts: noecho tail shows them"
		}
		rows[n] = bytes.HasPrefix(lines.Bytes(), []byte("{\""))
	}
	if rows[0] && rows[1] {
		return "has rows of JSON: noecho index build reads training files, noecho scan reads answers"
	}
	return ""
}
