package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"noecho/console"
	"noecho/detect"
	"noecho/proxy"
	"noecho/proxy/alert"
	"noecho/proxy/config"
	"noecho/proxy/policy"
)

// consoleFlags contains the flags of console as they were typed.
type consoleFlags struct {
	overlay
	access string
	token  string
}

func newConsoleCommand(a *app) *cobra.Command {
	var f consoleFlags
	cmd := &cobra.Command{
		Use:   "console [--index FILE]... [--config FILE] FILE|FOLDER...",
		Short: "Show alerts of one or many instances in a browser",
		Long: `Show the alerts of noecho instances in a browser. FILE is an alert file, which is read
with its rotated ones (FILE.1, FILE-20260131, also with .gz or .zst); of a FOLDER all files
NAME.jsonl are read. New lines are shown as they come.

The console changes nothing. It hands out files that a person applies. With --index, people
of the role privacy can ask whether the index knows a text; with --config, drafts of rules
are tried together with the rules of that configuration, and the keys below admin.console
say who may do what.

A person who looks up or exports data leaves a line of the type access: in the file that
--access names, else on the standard output.

On a loopback address everybody on this machine may use the console. Elsewhere people sign
in with the token of --token-file or of the key admin.token_file.`,
		Example: `  noecho console alerts.jsonl
  noecho console --index support-v3.nidx --access access.jsonl /var/log/noecho
  noecho console --config /etc/noecho/config.yaml --listen 0.0.0.0:8713 --token-file token /srv/alerts`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{a.alertFile()}
			}
			f.changed = cmd.Flags().Changed
			return runConsole(cmd.Context(), a, &f, args)
		},
	}
	f.addConfig(cmd)
	to := cmd.Flags()
	to.StringArrayVar(&f.index, "index", nil, "index `FILE` for look-ups; may be repeated")
	f.keys.add(cmd)
	to.StringVar(&f.listen, "listen", "127.0.0.1:8713", "`ADDRESS` for browsers")
	to.StringVar(&f.token, "token-file", "", "`FILE` with the token by which people sign in")
	to.StringVar(&f.access, "access", "", "`FILE` for the lines about people who look up or export (default: standard output)")
	return cmd
}

// consoleGC is the share in per cent by which the heap may grow between two collections. Most of
// it are rows, which stay.
const consoleGC = 25

// runConsole serves the console of alert files until ctx ends.
func runConsole(ctx context.Context, a *app, f *consoleFlags, paths []string) error {
	cfg := config.Default()
	var err error
	if f.config != "" {
		if cfg, err = config.LoadFile(f.config); err != nil {
			return &exitError{Code: exitUsage, Err: err}
		}
	}
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("%w; name the files that noecho serve writes with --alerts, or their folder", err)
		}
	}
	debug.SetGCPercent(consoleGC)
	log := newLogger(a.stderr, a.getenv, nil)
	opts := consoleOptions(&cfg.Console, log)
	opts.Paths, opts.Access.Trusted = paths, func() []netip.Prefix { return cfg.TrustedProxies }
	if f.config != "" {
		opts.Config = func() *config.Config { return &cfg }
	}
	if f.changed("index") {
		keys, err := f.keys.read(a)
		if err != nil {
			return err
		}
		set, err := openIndexes(f.index, keys)
		if err != nil {
			return indexError(err)
		}
		defer set.Close()
		indexes := &proxy.Indexes{Set: set, Spec: set.Spec(), Records: recordsOf(set)}
		for _, file := range set.Files() {
			indexes.Files = append(indexes.Files, proxy.IndexInfo{Path: file.Path, BuildID: file.Info.BuildID})
			if k := keyOf(keys, file.Info.KeyID); k != nil && indexes.Digest == nil {
				indexes.Digest = k.Lo
			}
		}
		opts.Look = func(text string) (console.Looked, error) { return look(&cfg, indexes, text), nil }
	}
	record, err := openConsoleLog(a, f.access)
	if err != nil {
		return err
	}
	opts.Record = record.Offer
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return errors.Join(listenError("browsers", "--listen", err), closeConsoleLog(record))
	}
	if name := cmp.Or(f.token, cfg.Admin.TokenFile); name != "" {
		if opts.Access.Token, err = proxy.ReadToken(name); err != nil {
			return errors.Join(usageError("%w", err), listener.Close(), closeConsoleLog(record))
		}
	}
	opts.Access.Local = proxy.IsLoopback(listener.Addr())
	fmt.Fprintf(a.stderr, "noecho: the console is at http://%s/console/\n", listener.Addr())
	return errors.Join(serveConsole(ctx, opts, listener), closeConsoleLog(record))
}

// openConsoleLog opens the log for the lines about people who look up or export.
func openConsoleLog(a *app, path string) (*alert.Log, error) {
	var sink alert.Sink = alert.NewWriter("stdout", a.alertWriter())
	if path != "" {
		file, err := alert.OpenFile(alert.FileOptions{Path: path})
		if err != nil {
			return nil, err
		}
		sink = file
	}
	return alert.Open(alert.Options{Sinks: []alert.Sink{sink}, Instance: "console"})
}

func closeConsoleLog(log *alert.Log) error {
	end, cancel := context.WithTimeout(context.Background(), alertsPatience)
	defer cancel()
	return log.Close(end)
}

// serveConsole serves a console until ctx ends.
func serveConsole(ctx context.Context, opts console.Options, listener net.Listener) error {
	c := console.New(opts)
	srv := &http.Server{Handler: c, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(listener) }()
	reading, stop := context.WithCancel(ctx)
	defer stop()
	go c.Run(reading)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		end, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if srv.Shutdown(end) != nil {
			return srv.Close()
		}
		return nil
	}
}

// consoleOptions are the options of a console that the configuration has.
func consoleOptions(keys *config.Console, log *slog.Logger) console.Options {
	return console.Options{
		Access:    console.Access{Console: *keys},
		RecordURL: keys.RecordURL, Version: readBuildInfo().Version,
		Warn: func(path, problem string) { log.Warn("alert file cannot be read", "file", path, "reason", problem) },
	}
}

// planeConsole is the console on the admin plane of a server, which is set once it is there.
type planeConsole struct {
	opts   console.Options
	server atomic.Pointer[proxy.Server]
	made   *console.Console
}

// newPlaneConsole returns the console of a configuration; nil if it is off.
func newPlaneConsole(cfg *config.Config, alerts *alert.Log, log *slog.Logger) *planeConsole {
	if !cfg.Console.On {
		return nil
	}
	p := &planeConsole{opts: consoleOptions(&cfg.Console, log)}
	p.opts.Record = alerts.Offer
	for _, s := range cfg.Alerts {
		if s.Type == config.AlertFile && s.Format == "" {
			p.opts.Paths = append(p.opts.Paths, s.Path)
		}
	}
	if len(p.opts.Paths) == 0 {
		p.opts.Note = "No file in format native is under alerts, so there is nothing that this page could read: add one"
	}
	p.opts.Config = func() *config.Config {
		out := *cfg
		if srv := p.server.Load(); srv != nil {
			srv.Inspect(func(now *config.Config, _ *proxy.Indexes) { out = *now })
		}
		return &out
	}
	p.opts.Access.Trusted = func() []netip.Prefix { return p.opts.Config().TrustedProxies }
	p.opts.Look = serverLook(p.server.Load)
	return p
}

// serverLook returns the look-up in the indexes of a server, which may not be there yet.
func serverLook(server func() *proxy.Server) func(string) (console.Looked, error) {
	return func(text string) (out console.Looked, err error) {
		srv := server()
		if srv == nil || !srv.Inspect(func(now *config.Config, x *proxy.Indexes) { out = look(now, x, text) }) {
			err = errors.New("the indexes are not open yet")
		}
		return out, err
	}
}

// run reads the alerts for the console of a server until ctx ends.
func (p *planeConsole) run(ctx context.Context, srv *proxy.Server) {
	if p != nil {
		p.server.Store(srv)
		p.made.Run(ctx)
	}
}

// option returns the option of a server that makes the console; nil if it is off.
func (p *planeConsole) option() func(proxy.Operators) http.Handler {
	if p == nil {
		return nil
	}
	return p.handler
}

// handler makes the console, as proxy.Options.Console.
func (p *planeConsole) handler(who proxy.Operators) http.Handler {
	p.opts.Access.Local, p.opts.Access.Token = who.Local, who.Token
	p.made = console.New(p.opts)
	return p.made
}

// look returns the findings in a text, by the indexes and the settings of a configuration.
func look(cfg *config.Config, x *proxy.Indexes, text string) console.Looked {
	settings := detect.Config{
		MaxHeld: 1 << 20, PhraseRecords: uint32(cfg.Identifiers.MaxRecords),
		Near: detect.NearRule{Off: cfg.Near.Off, Words: cfg.Near.Words},
	}
	settings.Lanes, _ = detect.ParseLanes(cfg.Lanes...) // the configuration has known names only
	d := detect.New(x.Set, x.Spec, settings)
	d.Append(nil, []byte(text))
	d.Finish(nil)
	words, _, _ := d.Counts()
	out := console.Looked{LeastWords: x.Spec.N, Words: int(words)}
	for _, f := range x.Files {
		out.Indexes = append(out.Indexes, strings.TrimSpace(f.BuildID))
	}
	for _, f := range d.Closed(nil) {
		ev := alert.Event{
			Kind: alert.Kind(f.Kind.String()), Lane: f.Lane.String(), Words: f.Words, Digests: x.Digests(f.Digests),
			Identifier: policy.Identifier(f),
			Records:    x.Records.Of(f), RecordCount: x.Records.Count(f),
		}
		out.Findings = append(out.Findings, ev)
	}
	return out
}
