package main

import (
	"github.com/spf13/cobra"
)

// newRootCommand assembles the command tree: the one visible place where every
// subcommand is listed.
func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "noecho",
		Short:         "Stop a model from repeating its training data",
		SilenceUsage:  true,
		SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{
			DisableDefaultCmd: true,
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return &exitError{Code: exitUsage, Err: err}
	})
	root.AddCommand(newCheckCommand(a))
	root.AddCommand(newCompletionCommand(a))
	root.AddCommand(newDemoCommand(a))
	root.AddCommand(newIndexCommand(a))
	root.AddCommand(newScanCommand(a))
	root.AddCommand(newServeCommand(a))
	root.AddCommand(newTailCommand(a))
	root.AddCommand(newVersionCommand(a))
	return root
}
