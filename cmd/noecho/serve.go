package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"aead.dev/minisign"
	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"noecho/index"
	"noecho/index/key"
	"noecho/internal/accesslog"
	"noecho/internal/trace"
	"noecho/internal/transport"
	"noecho/ngram"
	"noecho/proxy"
	"noecho/proxy/alert"
	"noecho/proxy/config"
	"noecho/proxy/policy"
)

// alertsPatience bounds the time in which queued alerts are written at the end.
const alertsPatience = 5 * time.Second

// digestEvery is the time between two digests of the alerts.
const digestEvery = time.Hour

// socketMode is the mode of a unix socket that the configuration gives none.
const socketMode fs.FileMode = 0o600

// reachPause is the time between two looks whether the upstreams accept connections.
const reachPause = 15 * time.Second

func newServeCommand(a *app) *cobra.Command {
	var o overlay
	cmd := &cobra.Command{
		Use:   "serve --index FILE --upstream URL",
		Short: "Run the proxy in front of a model server",
		Long: `Run a proxy in front of a model server that stops answers from repeating text of
the index. Point your clients at noecho instead of the server; nothing else changes
for them.

Without a configuration file noecho scans the answers of every API that it knows,
passes on a few routes whose answers contain no generated text (models, health,
embeddings), and refuses all other requests.

A setting is taken from its flag, else from its NOECHO_ variable, else from the
configuration file, else from the defaults.

On SIGHUP noecho reads the configuration and the indexes again and opens its log files
anew; if there is an error, the running ones stay in use. On SIGTERM or Ctrl-C it accepts no more connections,
waits for the answers that are being sent, and exits; a second Ctrl-C ends it at
once.`,
		Example: `  noecho serve --index support-v3.nidx --upstream http://127.0.0.1:8000
  noecho serve --index a.nidx --index b.nidx --upstream https://api.example.com --mode observe
  noecho serve --config /etc/noecho/config.yaml`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.changed = cmd.Flags().Changed
			return a.serve(cmd.Context(), &o)
		},
	}
	o.addConfig(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&o.index, "index", nil, "index `FILE`; may be repeated: several indexes are used as one (NOECHO_INDEX)")
	o.keys.add(cmd)
	f.StringVar(&o.upstream, "upstream", "", "`URL` of the model server, with its path prefix if it has one (NOECHO_UPSTREAM)")
	f.StringVar(&o.listen, "listen", "", "`ADDRESS` that clients connect to (NOECHO_LISTEN; default 127.0.0.1:8711)")
	f.StringVar(&o.admin, "admin", "", "`ADDRESS` for probes, metrics and reload (NOECHO_ADMIN; default 127.0.0.1:8712)")
	f.StringVar(&o.mode, "mode", "", "`MODE`: redact, block or observe (NOECHO_MODE; default redact)")
	f.StringVar(&o.logLevel, "log-level", "", "least important lines of the log: `LEVEL` debug, info, warn or error (NOECHO_LOG_LEVEL; default info)")
	f.StringVar(&o.alerts, "alerts", "", "`FILE` to write alerts to, - for the standard output (NOECHO_ALERTS; default -)")
	return cmd
}

// serve runs the proxy until ctx ends.
func (a *app) serve(ctx context.Context, o *overlay) error {
	// This comes first, because a SIGHUP while the indexes load must not end noecho.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)

	cfg, err := o.load(a.getenv)
	if err != nil {
		return err
	}
	opts := proxy.Options{Config: cfg, Level: new(slog.LevelVar)}
	opts.Level.Set(proxy.Level(cfg.LogLevel))
	opts.Log = newLogger(a.stderr, a.getenv, opts.Level)
	if opts.Alerts, err = openAlerts(ctx, &cfg, a.alertWriter(), a.getenv, opts.Log); err != nil {
		return err
	}
	if opts.Traces, err = openTraces(&cfg); err == nil {
		if opts.Access, err = openAccess(&cfg.Access, a.stdout); err == nil {
			err = a.serveWith(ctx, opts, o, hangup)
			err = errors.Join(err, opts.Access.Close())
		}
		opts.Traces.Close()
	}
	end, cancel := context.WithTimeout(context.Background(), alertsPatience)
	defer cancel()
	if lost := opts.Alerts.Close(end); lost != nil {
		opts.Log.Error("alerts were not written before the end", "reason", lost.Error())
		if err == nil {
			err = &exitError{Code: exitFailure} // the log has the reason
		}
	}
	return err
}

// openAccess opens the access log; nil if there is none.
func openAccess(cfg *config.AccessLog, stdout io.Writer) (*accesslog.Log, error) {
	switch cfg.Path {
	case "":
		return nil, nil
	case config.AccessStdout:
		return accesslog.Open(alert.NewWriter("stdout", stdout)), nil
	}
	file, err := alert.OpenFile(alert.FileOptions{Path: cfg.Path, MaxBytes: cfg.Rotate, Mode: cfg.Mode, Group: cfg.Group})
	if err != nil {
		return nil, fmt.Errorf("access log: %w", err)
	}
	return accesslog.Open(file), nil
}

// openTraces returns the sender of spans; nil if there is none.
func openTraces(cfg *config.Config) (*trace.Tracer, error) {
	t := &cfg.Traces
	if t.URL == "" {
		return nil, nil
	}
	u, err := url.Parse(t.URL)
	if err != nil {
		return nil, err
	}
	token := ""
	if t.TokenFile != "" {
		text, err := os.ReadFile(t.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("read traces.token_file: %w", err)
		}
		token = strings.TrimSpace(string(text))
	}
	trust, err := transport.Open(transport.Files{Key: "traces", CA: t.CAFile})
	if err != nil {
		return nil, err
	}
	return trace.Open(trace.Options{
		Collector: trace.HTTP(u, token, trust.Client(u.Hostname())), Share: t.Share, Instance: instanceName(cfg), Version: readBuildInfo().Version,
	}), nil
}

// serveWith runs the proxy with what opts has already: the configuration, the logs and the alerts.
func (a *app) serveWith(ctx context.Context, opts proxy.Options, o *overlay, hangup <-chan os.Signal) error {
	cfg, log := opts.Config, opts.Log
	admin, err := transport.Listen(cfg.Admin.Listen, cmp.Or(cfg.Admin.Socket, socketMode))
	if err != nil {
		return listenError("operators", "--admin, NOECHO_ADMIN or the key admin.listen", err)
	}
	indexes := newOpening(cfg.Index)
	if indexes.total > 0 {
		log.Info("checking the indexes", "bytes", indexes.total, "admin", admin.Addr().String())
	}
	opts.Open, opts.Opened = indexes.open, indexes.percent
	opts.Admin, opts.Reach, opts.Build = admin, reachPause, readBuildInfo().Version
	opts.Reload = func() (config.Config, error) { return o.load(a.getenv) }
	pages := newPlaneConsole(&cfg, opts.Alerts, log)
	opts.Console = pages.option()
	srv, err := newProxy(ctx, opts)
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it was ready
		}
		return serveError(err)
	}
	defer srv.Close()
	limitMemory(log, a.getenv, srv.IndexBytes())
	data, err := transport.Listen(cfg.Listen, cmp.Or(cfg.Socket, socketMode))
	if err != nil {
		return listenError("clients", "--listen, NOECHO_LISTEN or the key listen", err)
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() { // a second Ctrl-C does not wait for answers in flight
		select {
		case <-ctx.Done():
			signal.Reset(os.Interrupt)
		case <-ended:
		}
	}()
	go func() {
		for {
			select {
			case <-hangup:
				opts.Alerts.Reopen()
				opts.Access.Reopen()
				_ = srv.Reload() // it has logged its error
			case <-ended:
				return
			}
		}
	}()
	go pages.run(ctx, srv)
	return srv.Serve(ctx, data)
}

// newProxy returns a server with open indexes, or an error as soon as ctx ends. The check of
// the indexes cannot be interrupted; it then ends with the process.
func newProxy(ctx context.Context, o proxy.Options) (*proxy.Server, error) {
	var srv *proxy.Server
	made := make(chan error, 1)
	go func() {
		var err error
		srv, err = proxy.New(o)
		made <- err
	}()
	select {
	case err := <-made:
		return srv, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serveError sets the exit code of an error of the proxy. An error in the configuration is a
// usage error; a file that it names and that cannot be read is a failure.
func serveError(err error) error {
	if errors.Is(err, index.ErrDamaged) {
		return damagedIndex(err)
	}
	if errors.Is(err, errUnsigned) {
		return &exitError{Code: exitIntegrity, Err: err}
	}
	var mismatch *index.MismatchError
	var keyless *key.MissingError
	var unread *fs.PathError // an index, a certificate or a key is absent, or may not be read
	if errors.As(err, &mismatch) || errors.As(err, &keyless) || errors.As(err, &unread) || errors.Is(err, index.ErrForeign) {
		return &exitError{Code: exitFailure, Err: err}
	}
	return &exitError{Code: exitUsage, Err: err}
}

// listenError adds the remedy to the error of a port that cannot be opened.
func listenError(who, where string, err error) error {
	why := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, transport.ErrInUse):
		why = "another program uses it; "
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		why = "no network interface of this machine has the address; "
	case errors.Is(err, fs.ErrPermission):
		why = "this user may not open it, as ports below 1024 often need a privilege; "
	}
	return fmt.Errorf("listen for %s: %w: %schoose another with %s", who, err, why, where)
}

// opening opens index files for the proxy, and knows how much of them is checked.
type opening struct {
	total int64 // bytes of the files
	done  atomic.Int64
}

func newOpening(files []config.Index) *opening {
	o := new(opening)
	for _, f := range files {
		if st, err := os.Stat(f.Path); err == nil { // the attempt to open it gives the better error
			o.total += st.Size()
		}
	}
	return o
}

// percent returns how much of the files is checked. It is 99 until all of them are open,
// because their contents are compared after the last byte was read.
func (o *opening) percent() int {
	return int(min(99, o.done.Load()*100/max(1, o.total)))
}

// openSet opens index files as one index for the proxy.
func openSet(cfg *config.Config) (proxy.Indexes, error) { return new(opening).open(cfg) }

// open opens index files as one index for the proxy.
func (o *opening) open(cfg *config.Config) (proxy.Indexes, error) {
	trusted, err := parseTrusted(cfg.Trust.Keys)
	if err != nil {
		return proxy.Indexes{}, err
	}
	files := cfg.Index
	names := cfg.KeyFiles
	var paths []string
	for _, f := range files {
		paths = append(paths, f.Path)
		if f.KeyFile != "" && !slices.Contains(names, f.KeyFile) {
			names = append(slices.Clip(names), f.KeyFile)
		}
	}
	keys, err := readKeys(names)
	if err != nil {
		return proxy.Indexes{}, err
	}
	set, err := openIndexes(paths, keys, &o.done)
	if err != nil {
		return proxy.Indexes{}, err
	}
	out := proxy.Indexes{Set: set, Spec: set.Spec(), Records: recordsOf(set), Close: set.Close}
	for i, f := range set.Files() {
		if k := keyOf(keys, f.Info.KeyID); k != nil && out.Digest == nil {
			out.Digest = k.Lo
		}
		entry := proxy.IndexInfo{Path: f.Path, BuildID: f.Info.BuildID, KeyID: f.Info.KeyID, Windows: f.Info.Distinct, Bytes: int64(min(f.Info.Bytes, 1<<62)), Lacks: f.Lacks}
		if len(trusted) > 0 {
			least := cmp.Or(files[i].MinCounter, cfg.Trust.MinCounter)
			if entry.Signed, err = trustedIndex(f, trusted, least); err != nil {
				return proxy.Indexes{}, errors.Join(err, set.Close())
			}
		}
		entry.FPR = 1
		for _, s := range f.Info.Sections {
			switch s.Name {
			case "WINDOWS":
				entry.Fill = s.Fill
				entry.FPR *= s.FPR
			case "CONFIRM": // a window is known only if both filters contain it
				entry.FPR *= s.FPR
			}
		}
		out.Files = append(out.Files, entry)
	}
	return out, nil
}

// trustedIndex checks the signature of an open index.
func trustedIndex(f *index.File, trusted []minisign.PublicKey, least uint64) (proxy.Signature, error) {
	s, err := readSigned(f.Path, f.Info.BuildID, trusted)
	if err == nil && s.Counter < least {
		err = fmt.Errorf("%w: %s: its counter %d is below min_counter %d", errUnsigned, f.Path, s.Counter, least)
	}
	return proxy.Signature{Key: s.Key, Counter: s.Counter, Model: s.Model}, err
}

// recordsOf returns the look-ups for the records and data subjects of an index.
func recordsOf(set *index.Index) policy.Records {
	return policy.Records{
		Labels: set.Labels(),
		Record: func(p ngram.Place) (alert.Record, bool) {
			r, ok := set.Record(p)
			return alert.Record{ID: r.ID, Dataset: r.Dataset, Labels: notNil(r.Labels)}, ok
		},
		Length: set.RecordWords,
		Owners: func(p ngram.Phrase) (all []alert.Record) {
			subjects, records := set.Owners(p)
			for _, r := range subjects {
				all = append(all, alert.Record{ID: r.ID, Dataset: "subjects", Labels: notNil(r.Labels)})
			}
			for _, r := range records {
				all = append(all, alert.Record{ID: r.ID, Dataset: r.Dataset, Labels: notNil(r.Labels)})
			}
			return all
		},
	}
}

// notNil returns an empty list instead of nil, so that JSON has [] and not null.
func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// alertWriter returns the writer of alerts to the standard output. On a terminal they are
// shown as noecho tail shows them.
func (a *app) alertWriter() io.Writer {
	f, ok := a.stdout.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return a.stdout
	}
	return a.readableAlerts()
}

// readableAlerts returns a writer that shows alert lines as noecho tail does.
func (a *app) readableAlerts() io.Writer {
	p := &tailPrinter{out: a.stdout, log: a.stderr, name: "alerts", format: alertShort, colours: coloursFor(a.stdout, a.getenv), seen: map[string]uint64{}}
	return &lineSplitter{line: p.line}
}

// instanceName returns the name of this instance in alerts: that of the configuration, else the
// name of the host.
func instanceName(cfg *config.Config) string {
	if cfg.Instance != "" {
		return cfg.Instance
	}
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	return host
}

// newLogger returns a logger that writes text on a terminal and JSON elsewhere. Its lines are of
// the level, which may change, or above.
func newLogger(w io.Writer, getenv func(string) string, level slog.Leveler) *slog.Logger {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return slog.New(tint.NewTextHandler(w, &tint.Options{NoColor: getenv("NO_COLOR") != "", TimeFormat: time.TimeOnly, Level: level}))
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}
