// Command fakellm serves scripted answers over the protocols of the usual model
// APIs, so that a benchmark or a demonstration has a model server on a machine
// without one.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"noecho/internal/fakellm"
	"noecho/internal/program"
)

const usage = `usage: fakellm [-listen ADDRESS] [-script FILE | -text FILE [-unit UNIT] [-size N] [-seed N] [-pace TIME]]

fakellm speaks Chat Completions, Completions, Responses, Anthropic Messages, Ollama,
Gemini, Cohere v2 and Bedrock Converse, and answers every request with a text.
-script reads a JSON file that chooses answers by model or prompt and adds faults;
its members are those of the Go type fakellm.Config. -text is the short way: one
file is the answer to every request.

It prints its base URL on the standard output once it listens, and ends on
Ctrl-C. This script leaks slowly if a prompt contains "secret", breaks the
connection of a request for the model "broken", and greets all others:

` + example + `
`

// example is a script for -script.
const example = `  {
    "prompts": [{"contains": "secret", "script": {
      "choices": [{"reasoning": "Should I?", "content": "Four score and seven years ago"}],
      "chunking": {"unit": "tokens", "size": 3}, "pace": "50ms", "encoding": "gzip"}}],
    "models": {"broken": {
      "choices": [{"content": "one two three four"}],
      "chunking": {"unit": "words"}, "fault": {"kind": "cut", "after": 3}}},
    "default": {"choices": [{"content": "Hello!"}]}
  }
`

func main() { os.Exit(program.Run("fakellm", run)) }

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := program.Flags("fakellm", usage, stderr)
	listen := flags.String("listen", "127.0.0.1:8000", "`address` to listen on")
	script := flags.String("script", "", "JSON `file` with a fakellm.Config")
	text := flags.String("text", "", "`file` to recite")
	unit := flags.String("unit", "words", "unit of a message: words, tokens, chars, utf16, or empty for the whole text")
	size := flags.Int("size", 0, "`number` of units in a message; for tokens, bytes")
	seed := flags.Uint64("seed", 0, "if not 0, draw sizes of 1 to -size from this `number`")
	pace := flags.Duration("pace", 0, "`time` before every message")
	if err := flags.Parse(args); err != nil {
		return err
	}
	cfg, err := load(*script, *text)
	if err != nil {
		return err
	}
	if *text != "" {
		cfg.Default.Chunking = fakellm.Chunking{Unit: fakellm.Unit(*unit), Size: *size, Seed: *seed}
		cfg.Default.Pace = fakellm.Duration(*pace)
	}
	return serve(ctx, cfg, *listen, stdout)
}

// load makes the configuration of one of two files.
func load(script, text string) (fakellm.Config, error) {
	var cfg fakellm.Config
	switch {
	case (script == "") == (text == ""):
		return cfg, errors.New("give either -script or -text")
	case text != "":
		words, err := os.ReadFile(text)
		if err != nil {
			return cfg, err
		}
		say := fakellm.Say(string(words))
		cfg.Default = &say
		return cfg, nil
	default:
		f, err := os.Open(script)
		if err != nil {
			return cfg, err
		}
		defer f.Close()
		d := json.NewDecoder(f)
		d.DisallowUnknownFields()
		if err := d.Decode(&cfg); err != nil {
			return cfg, fmt.Errorf("read %s: %w", script, err)
		}
		return cfg, nil
	}
}

func serve(ctx context.Context, cfg fakellm.Config, listen string, stdout io.Writer) error {
	s, err := fakellm.New(cfg)
	if err != nil {
		return err
	}
	if err := s.Start(listen); err != nil {
		return err
	}
	fmt.Fprintln(stdout, s.URL())
	<-ctx.Done()
	return s.Close()
}
