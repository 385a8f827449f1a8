package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"noecho/proxy"
	"noecho/proxy/policy"
)

func newCheckCommand(a *app) *cobra.Command {
	var o overlay
	cmd := &cobra.Command{
		Use:   "check [--config] FILE",
		Short: "Check a configuration and the indexes it names",
		Long: `Check a configuration file as noecho serve does before it starts: every key and
value, every byte of the indexes, the certificates and the admin token. No port is
opened and no server is called. NOECHO_ variables count as they do for serve.

If the file has errors, all of them are printed at once, as file:line:column: message.
If it has none, each of its rules for findings is printed as a sentence.`,
		Example: "  noecho check /etc/noecho/config.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.changed = cmd.Flags().Changed
			switch {
			case len(args) > 1:
				return usageError("check reads one configuration, got %d", len(args))
			case len(args) == 1 && o.config != "":
				return usageError("two configurations are given: %s and, with --config, %s", args[0], o.config)
			case len(args) == 1:
				o.config = args[0]
			}
			if o.config == "" && a.getenv("NOECHO_CONFIG") == "" {
				return usageError("no configuration is given: name a file, as noecho check FILE or in NOECHO_CONFIG")
			}
			return check(a, &o)
		},
	}
	o.addConfig(cmd)
	return cmd
}

func check(a *app, o *overlay) error {
	cfg, err := o.load(a.getenv)
	if err != nil {
		return err
	}
	summary, err := proxy.Check(cfg, openSet)
	if err != nil {
		return serveError(err)
	}
	for _, w := range proxy.Warnings(&cfg) {
		_, _ = fmt.Fprintln(a.stderr, "warning: "+w)
	}
	lines := append([]string{"ok: " + strings.Join(summary, ", ")}, policy.Explain(&cfg)...)
	_, err = fmt.Fprintln(a.stdout, strings.Join(lines, "\n"))
	return err
}
