// Package program runs the main function of the project's tools. It knows signals and
// exit codes and nothing of any tool.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Run runs a tool with the arguments and outputs of this process and returns its exit
// code: 0, or 1 after an error, which is printed behind the tool's name. An interrupt or
// SIGTERM cancels the context. [flag.ErrHelp] is not an error.
func Run(name string, run func(ctx context.Context, args []string, stdout, stderr io.Writer) error) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, name+":", err)
		return 1
	}
	return 0
}

// Flags returns the flags of a tool, none yet. The text that explains the tool comes before them in its help.
func Flags(name, usage string, stderr io.Writer) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	return flags
}
