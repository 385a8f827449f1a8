// Command noecho builds indexes of training text and stands in front of a
// model so that it does not repeat that text. See README.md.
//
// main maps an error to an exit code and nothing else; every subcommand is one
// file, and all wiring between packages is in this package.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes; a contract that other programs rely on.
const (
	exitOK        = 0
	exitFailure   = 1 // the work failed
	exitUsage     = 2 // the command line or the configuration is wrong
	exitFindings  = 3 // scan found training text
	exitIntegrity = 4 // an index is damaged
)

// exitError carries the exit code of a failed command. A nil Err prints
// nothing: the command has already said what there is to say.
type exitError struct {
	Code int
	Err  error
}

func (e *exitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit status %d", e.Code)
	}
	return e.Err.Error()
}

func (e *exitError) Unwrap() error { return e.Err }

// usageError is an error in how the command was called.
func usageError(format string, args ...any) error {
	return &exitError{Code: exitUsage, Err: fmt.Errorf(format, args...)}
}

// app is the world a command runs in: everything it may touch besides the
// file system and the network.
type app struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	getenv func(string) string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	code := a.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// run executes one command line and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := newRootCommand(a)
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code, report := exitFailure, err
	var coded *exitError
	if errors.As(err, &coded) {
		code, report = coded.Code, coded.Err
	}
	if report != nil {
		fmt.Fprintf(a.stderr, "noecho: %v\n", report)
	}
	return code
}
