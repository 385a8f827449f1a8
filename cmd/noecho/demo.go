package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"noecho/detect"
	"noecho/index/build"
	"noecho/index/corpus"
	"noecho/proxy"
	"noecho/proxy/alert"
	"noecho/proxy/config"
)

// demoPatience bounds the time that the demo waits for one event.
const demoPatience = 10 * time.Second

func newDemoCommand(a *app) *cobra.Command {
	var pages bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch noecho stop a leaking model, in one process and without a network",
		Long: `Watch noecho stop a leaking model. In one process, on loopback ports and in a
temporary folder that is removed at the end, the demo

  - indexes a small corpus: old texts, and support tickets with invented names,
    e-mail addresses and order numbers;
  - starts a model server that recites that corpus, and noecho in front of it;
  - asks questions, streamed and not, in the modes observe, redact and block. Most
    answers contain text of the corpus, one contains only an e-mail address of it,
    and one contains nothing of it;
  - prints the answer of the model, the answer that the caller got, and the alert,
    which names the record that was repeated.

The exit code is 1 if noecho breaks its promise: if a leaked word gets past redact or
block, or a clean answer is changed.

With --console the demo then shows its alerts in a browser, at an address that it prints,
until Ctrl-C.`,
		Example: "  noecho demo\n  noecho demo --console",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			show := func(context.Context, *demoStage, *demoScreen) error { return nil }
			if pages {
				show = showDemo
			}
			return runDemo(cmd.Context(), a, show)
		},
	}
	cmd.Flags().BoolVar(&pages, "console", false, "show the alerts in a browser afterwards, until Ctrl-C")
	return cmd
}

// showDemo serves the console of the demo's alerts until ctx ends.
func showDemo(ctx context.Context, s *demoStage, screen *demoScreen) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	cfg := config.Default()
	opts := consoleOptions(&cfg.Console, slog.New(slog.DiscardHandler))
	opts.Paths, opts.Access.Local, opts.Record = []string{s.file}, true, s.alerts.Offer
	opts.Config = func() *config.Config { return &cfg }
	opts.Look = serverLook(func() *proxy.Server { return s.proxy })
	screen.printf("\nThe console is at http://%s/console/ until Ctrl-C.\n", listener.Addr())
	return serveConsole(ctx, opts, listener)
}

// runDemo runs the whole demonstration. show is called behind the last answer.
func runDemo(ctx context.Context, a *app, show func(context.Context, *demoStage, *demoScreen) error) error {
	dir, err := os.MkdirTemp("", "noecho-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer os.RemoveAll(dir)
	screen := newDemoScreen(a)
	stage, err := newDemoStage(ctx, dir, screen)
	if err != nil {
		return fmt.Errorf("set up the demo: %w", err)
	}
	results, err := stage.play(ctx, screen)
	if err == nil {
		err = show(ctx, stage, screen)
	}
	lines, closeErr := stage.close()
	if err := errors.Join(err, closeErr); err != nil {
		return fmt.Errorf("run the demo: %w", err)
	}
	broken := checkDemo(results, lines)
	screen.summary(results, bytes.Count(lines, []byte(`"type":"finding"`)), broken)
	if len(broken) > 0 {
		return &exitError{Code: exitFailure}
	}
	return nil
}

// demoStage is a model and noecho in front of it, both on loopback ports.
type demoStage struct {
	model  *http.Server
	proxy  *proxy.Server
	addr   string // of the proxy
	stop   context.CancelFunc
	ended  chan error // the result of the proxy's Serve
	alerts *alert.Log
	events chan alert.Event // every alert that is written
	file   string           // the path of the alert file
}

// newDemoStage builds the index and starts model and proxy.
func newDemoStage(ctx context.Context, dir string, screen *demoScreen) (*demoStage, error) {
	s := &demoStage{
		events: make(chan alert.Event, 64), file: filepath.Join(dir, "alerts.jsonl"), ended: make(chan error, 1),
	}
	// The corpus is copied to a folder, because users have theirs in files.
	folder := filepath.Join(dir, "corpus")
	files, err := fs.Sub(demoCorpus, "demo/corpus")
	if err == nil {
		err = os.CopyFS(folder, files)
	}
	if err != nil {
		return nil, err
	}
	path, begun := filepath.Join(dir, "demo.nidx"), time.Now()
	built, err := build.Build(ctx, build.Options{
		Out: path, Inputs: []string{folder}, Corpus: corpus.Options{Format: corpus.Auto},
		Dataset: "demo", Model: demoModel, Builder: readBuildInfo().Version,
	})
	if err != nil {
		return nil, err
	}
	took := time.Since(begun)
	if s.model, err = startLeakyModel(); err != nil {
		return nil, err
	}
	if err := s.startProxy(path); err != nil {
		return nil, errors.Join(err, s.model.Close())
	}
	screen.opening(built, took, s.model.Addr, s.addr)
	return s, nil
}

// startProxy starts noecho in front of the model. One route serves three names
// of the model, each with a mode of its own.
func (s *demoStage) startProxy(path string) error {
	file, err := alert.OpenFile(alert.FileOptions{Path: s.file})
	if err != nil {
		return err
	}
	s.alerts, err = alert.Open(alert.Options{Sinks: []alert.Sink{file, alert.NewWriter("demo", demoSink(s.events))}})
	if err != nil {
		return err
	}
	cfg := config.Default()
	cfg.Index = []config.Index{{Path: path}}
	cfg.Upstream.URL = &url.URL{Scheme: "http", Host: s.model.Addr}
	cfg.Limits.Drain = time.Second
	cfg.Routes = []config.Route{{Path: "/"}}
	for _, m := range []detect.Action{detect.Observe, detect.Redact, detect.Block} {
		cfg.Routes[0].Models = append(cfg.Routes[0].Models, config.ModelMode{Glob: modelFor(m), Mode: m})
	}
	s.proxy, err = proxy.New(proxy.Options{
		Config: cfg, Open: openSet, Alerts: s.alerts, Log: slog.New(slog.DiscardHandler), Build: readBuildInfo().Version,
	})
	if err != nil {
		return errors.Join(err, s.closeAlerts())
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.proxy.Close()
		return errors.Join(err, s.closeAlerts())
	}
	s.addr = listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() { s.ended <- s.proxy.Serve(ctx, listener) }()
	return nil
}

func (s *demoStage) closeAlerts() error {
	ctx, cancel := context.WithTimeout(context.Background(), demoPatience)
	defer cancel()
	return s.alerts.Close(ctx)
}

// close ends both servers and returns the lines of the alert file.
func (s *demoStage) close() ([]byte, error) {
	s.stop()
	err := <-s.ended
	s.proxy.Close()
	err = errors.Join(err, s.closeAlerts(), s.model.Close())
	lines, readErr := os.ReadFile(s.file)
	return lines, errors.Join(err, readErr)
}

// play asks every question to the model and to noecho, and shows the answers.
func (s *demoStage) play(ctx context.Context, screen *demoScreen) ([]demoResult, error) {
	var results []demoResult
	for i, turn := range demoTurns {
		ctx, cancel := context.WithTimeout(ctx, demoPatience)
		r, err := s.ask(ctx, turn)
		cancel()
		if err != nil {
			return results, fmt.Errorf("question %d: %w", i+1, err)
		}
		results = append(results, r)
		screen.result(i+1, &r)
	}
	return results, nil
}

// ask puts one question to the model and to noecho.
func (s *demoStage) ask(ctx context.Context, turn demoTurn) (demoResult, error) {
	r := demoResult{demoTurn: turn}
	var err error
	if r.said, err = demoAsk(ctx, s.model.Addr, turn); err != nil {
		return r, fmt.Errorf("ask the model: %w", err)
	}
	if r.got, err = demoAsk(ctx, s.addr, turn); err != nil {
		return r, fmt.Errorf("ask noecho: %w", err)
	}
	if r.leak == "" {
		return r, nil
	}
	for {
		select {
		case ev := <-s.events:
			switch {
			case ev.Type != alert.TypeFinding:
				continue
			case ev.Kind == r.kind:
				r.alert = ev
			default:
				r.others = append(r.others, ev)
			}
			if r.alert.Type == alert.TypeFinding && len(r.others) == r.within() {
				return r, nil
			}
		case <-ctx.Done():
			return r, nil // checkDemo reports the missing alert
		}
	}
}

// demoSink is the end of the alert log that passes alerts to the demo.
type demoSink chan<- alert.Event

func (s demoSink) Write(line []byte) (int, error) {
	var ev alert.Event
	if err := json.Unmarshal(line, &ev); err != nil {
		return 0, err
	}
	s <- ev
	return len(line), nil
}
