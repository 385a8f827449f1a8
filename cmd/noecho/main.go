// Command noecho builds indexes of training text, and serves as a proxy in front of a
// model so that the model's answers do not repeat that text. See README.md.
//
// This package wires the other packages together and knows the command line and the
// terminal. It contains no detection and no file format. Each subcommand begins in the
// file of its name; main only turns its error into an exit code.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Exit codes. Other programs rely on them.
const (
	exitOK        = 0
	exitFailure   = 1 // the work failed
	exitUsage     = 2 // the command line or the configuration is wrong
	exitFindings  = 3 // scan found training text
	exitIntegrity = 4 // an index is damaged
	exitRefused   = 5 // a rule about erased records does not let the work go on
)

// exitError carries the exit code of a failed command. With a nil Err nothing is
// printed, because the command has already reported its failure.
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

// usageError returns an error in the command line or the configuration.
func usageError(format string, args ...any) error {
	return &exitError{Code: exitUsage, Err: fmt.Errorf(format, args...)}
}

// app contains the streams and the environment of a process, so that a test can
// replace them.
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
		for line := range strings.SplitSeq(report.Error(), "\n") { // joined errors, one a line
			fmt.Fprintf(a.stderr, "noecho: %s\n", line)
		}
	}
	return code
}
