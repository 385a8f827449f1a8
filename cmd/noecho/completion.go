package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// completions are functions that write the completion script of a shell.
var completions = map[string]func(root *cobra.Command, w io.Writer) error{
	"bash":       func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
	"zsh":        func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) },
	"fish":       func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
	"powershell": func(root *cobra.Command, w io.Writer) error { return root.GenPowerShellCompletionWithDesc(w) },
}

// shells are the keys of completions, in the order of the help.
var shells = []string{"bash", "zsh", "fish", "powershell"}

func newCompletionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a script that completes noecho's commands and flags in your shell",
		Long: `Print a script that teaches your shell to complete noecho's commands and flags.
Load it into the current shell to try it, or write it to a file that your shell loads
when it starts:

  bash        source <(noecho completion bash)
              noecho completion bash > /etc/bash_completion.d/noecho
  zsh         source <(noecho completion zsh)
              noecho completion zsh > "${fpath[1]}/_noecho"
  fish        noecho completion fish | source
              noecho completion fish > ~/.config/fish/completions/noecho.fish
  powershell  noecho completion powershell | Out-String | Invoke-Expression`,
		Example:               "  source <(noecho completion bash)",
		DisableFlagsInUseLine: true,
		ValidArgs:             shells,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || completions[args[0]] == nil {
				return usageError("name one shell: %s", strings.Join(shells, ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return completions[args[0]](cmd.Root(), a.stdout)
		},
	}
}

// completeFlag makes the shell complete the value of a flag from a list.
func completeFlag(cmd *cobra.Command, name string, values []string) {
	err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic("noecho: internal error: " + err.Error()) // no such flag
	}
}
