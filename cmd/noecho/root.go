package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"noecho/proxy/config"
)

// newRootCommand assembles the command tree. Every subcommand is listed here.
func newRootCommand(a *app) *cobra.Command {
	var showVersion bool
	root := &cobra.Command{
		Use:   "noecho",
		Short: "Stop a model from repeating its training data",
		Args:  knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if showVersion {
				return readBuildInfo().print(a.stdout)
			}
			return cmd.Help()
		},
		SilenceUsage:  true,
		SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{
			DisableDefaultCmd: true,
		},
	}
	root.Flags().BoolVar(&showVersion, "version", false, "print the version, as noecho version does")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError("%w%s (see %s --help)", err, flagHint(cmd, err), cmd.CommandPath())
	})
	root.AddCommand(newAlertsCommand(a))
	root.AddCommand(newAuditCommand(a))
	root.AddCommand(newCheckCommand(a))
	root.AddCommand(newCompletionCommand(a))
	root.AddCommand(newConsoleCommand(a))
	root.AddCommand(newDemoCommand(a))
	root.AddCommand(newEraseCommand(a))
	root.AddCommand(newEvalCommand(a))
	root.AddCommand(newExplainCommand(a))
	root.AddCommand(newIgnoreCommand(a))
	root.AddCommand(newIndexCommand(a))
	root.AddCommand(newInventoryCommand(a))
	root.AddCommand(newPrincipalCommand(a))
	root.AddCommand(newScanCommand(a))
	root.AddCommand(newServeCommand(a))
	root.AddCommand(newTailCommand(a))
	root.AddCommand(newTopCommand(a))
	root.AddCommand(newVersionCommand(a))
	return root
}

// flagHint names the flag that was probably meant by one that a command does not have.
func flagHint(cmd *cobra.Command, err error) string {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return ""
	}
	name := unknown.GetSpecifiedName()
	meant := map[string]string{ // as other programs call it
		"port": "listen", "host": "listen", "address": "listen", "addr": "listen", "bind": "listen",
		"url": "upstream", "target": "upstream", "backend": "upstream", "base-url": "upstream",
		"output": "out", "o": "out", "input": "corpus",
	}[name]
	if meant == "" || cmd.Flags().Lookup(meant) == nil {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		meant = config.Closest(name, names)
	}
	if meant == "" {
		return ""
	}
	return "; did you mean --" + meant + "?"
}

// knownCommand checks the arguments of a command that only has subcommands. An unknown
// subcommand gives exit code 2, which cobra alone does not.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	cmd.SuggestionsMinimumDistance = max(2, cmd.SuggestionsMinimumDistance)
	if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
		hint = "; did you mean " + strings.Join(s, " or ") + "?"
	}
	return usageError("%s has no command %q%s (see %s --help)", cmd.CommandPath(), args[0], hint, cmd.CommandPath())
}

// exactArgs checks that there are n arguments, which names describes.
func exactArgs(n int, names string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError("name %s", names)
		}
		return nil
	}
}
