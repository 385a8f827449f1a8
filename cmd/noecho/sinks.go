package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"noecho/internal/format"
	"noecho/internal/outbox"
	"noecho/internal/receiver"
	"noecho/internal/transport"
	"noecho/proxy/alert"
	"noecho/proxy/config"
)

// openAlerts opens the sinks of the configuration. If it has none, alerts are written
// to the standard output. The first sink also writes to the audit log, if there is one.
func openAlerts(ctx context.Context, cfg *config.Config, stdout io.Writer, getenv func(string) string, log *slog.Logger) (*alert.Log, error) {
	opts := alert.Options{Digest: digestEvery, Instance: instanceName(cfg)}
	sinks := cfg.Alerts
	if len(sinks) == 0 {
		sinks = []config.Alert{{Type: config.AlertStdout}}
	}
	names := map[string]int{}
	for _, s := range sinks {
		sink, err := openSink(&s, names, opts.Instance, stdout, getenv)
		if err != nil {
			return nil, errors.Join(err, closeSinks(opts.Sinks))
		}
		opts.Sinks = append(opts.Sinks, sink)
	}
	if cfg.Audit.Dir != "" {
		if err := auditable(&sinks[0]); err != nil {
			return nil, errors.Join(err, closeSinks(opts.Sinks))
		}
		first, err := newRecorded(ctx, opts.Sinks[0], cfg.Audit, log)
		if err != nil {
			return nil, errors.Join(err, closeSinks(opts.Sinks))
		}
		opts.Sinks[0] = first
	}
	return alert.Open(opts)
}

func closeSinks(sinks []alert.Sink) error {
	var errs []error
	for _, s := range sinks {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// openSink opens one sink. names counts the names of sinks, so that each has one of its own.
func openSink(s *config.Alert, names map[string]int, instance string, stdout io.Writer, getenv func(string) string) (alert.Sink, error) {
	encode, ok := format.Named(s.Format)
	if !ok {
		return nil, fmt.Errorf("alert format %q is not known", s.Format)
	}
	var sink alert.Sink
	switch s.Type {
	case config.AlertStdout:
		sink = alert.NewWriter("stdout", stdout)
	case config.AlertFile:
		file, err := alert.OpenFile(alert.FileOptions{Path: s.Path, MaxBytes: s.Rotate, Mode: s.Mode, Group: s.Group})
		if err != nil {
			return nil, err
		}
		sink = file
	default:
		return openOutbox(s, names, instance, encode, getenv)
	}
	if s.Format == "" {
		return sink, nil
	}
	return alert.As(sink, encode), nil
}

// openOutbox opens a sink that sends over a network.
func openOutbox(s *config.Alert, names map[string]int, instance string, encode format.Encode, getenv func(string) string) (alert.Sink, error) {
	access := loadAccess(&s.Receiver, getenv)
	first, err := access()
	if err != nil {
		return nil, fmt.Errorf("alerts to %s: %w", title(s), err)
	}
	name := s.Name
	if name == "" {
		name = s.Type.String() + " " + first.URL.Host // path and query may have a secret
		if first.URL.Scheme == "unix" {
			name = s.Type.String() + " " + first.URL.Path
		}
	}
	if names[name]++; names[name] > 1 {
		name += fmt.Sprintf(" %d", names[name])
	}
	var peer outbox.Peer
	switch s.Type {
	case config.AlertSyslog:
		encode = format.Syslog(encode)
		peer, err = receiver.NewSyslog(access, nil)
	case config.AlertOTLP:
		encode = format.OTLP(encode)
		peer, err = receiver.NewOTLP(access, format.OTLPResource(instance, readBuildInfo().Version), format.OTLPScope(), nil)
	default:
		peer, err = receiver.NewWebhook(access, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("alerts to %s: %w", name, err)
	}
	return outbox.Open(outbox.Options{
		Name: name, Peer: peer, Append: encode, Lowest: alert.Severity(s.Receiver.MinSeverity),
		Dir: s.Receiver.Spool, Limit: s.Receiver.SpoolSize,
	})
}

// title names a sink in messages: by its name, else by its type.
func title(s *config.Alert) string {
	if s.Name != "" {
		return s.Name
	}
	return "a " + s.Type.String()
}

// auditable reports why the audit log cannot vouch for the lines of a sink.
func auditable(s *config.Alert) error {
	if s.Type > config.AlertStdout || s.Format != "" {
		return usageError("the audit log has digests of the first sink of alerts: write a file or stdout in format native first")
	}
	return nil
}

// checkSinks reads the secrets and certificates of all receivers of alerts.
func checkSinks(cfg *config.Config, getenv func(string) string) error {
	if cfg.Audit.Dir != "" && len(cfg.Alerts) > 0 {
		if err := auditable(&cfg.Alerts[0]); err != nil {
			return err
		}
	}
	for _, s := range cfg.Alerts {
		if s.Type > config.AlertStdout {
			if _, err := loadAccess(&s.Receiver, getenv)(); err != nil {
				return fmt.Errorf("alerts to %s: %w", title(&s), err)
			}
		}
	}
	return nil
}

// probePatience bounds the look whether a receiver accepts connections.
const probePatience = 5 * time.Second

// probeSinks connects to the receivers of alerts. The error names those that accept no connection.
func probeSinks(ctx context.Context, a *app, cfg *config.Config) error {
	var failed []error
	for _, s := range cfg.Alerts {
		if s.Type <= config.AlertStdout {
			continue
		}
		access, err := loadAccess(&s.Receiver, a.getenv)()
		if err != nil {
			return fmt.Errorf("alerts to %s: %w", title(&s), err)
		}
		network, address := receiver.Endpoint(access.URL)
		dialer := net.Dialer{Timeout: probePatience}
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			failed = append(failed, fmt.Errorf("alerts to %s at %s: %w", title(&s), address, err))
			continue
		}
		_ = conn.Close()
		_, _ = fmt.Fprintf(a.stdout, "Receiver of alerts %s at %s accepts connections.\n", cmp.Or(s.Name, s.Type.String()), address)
	}
	return errors.Join(failed...)
}

// loadAccess returns a function that reads the address of a receiver and the secrets for it.
func loadAccess(r *config.Receiver, getenv func(string) string) receiver.Load {
	return func() (a receiver.Access, err error) {
		a.URL = r.URL
		if r.URLFile != "" {
			var address string
			if address, err = secretText(r.URLFile, getenv); err != nil {
				return a, err
			}
			if a.URL, err = config.ParseReceiver(address); err != nil {
				return a, fmt.Errorf("url_file %s: %w", r.URLFile, err)
			}
			if !strings.HasPrefix(a.URL.Scheme, "http") {
				return a, fmt.Errorf("url_file %s: the address must begin with https:// or http://", r.URLFile)
			}
		}
		if a.Token, err = secretText(r.TokenFile, getenv); err != nil {
			return a, err
		}
		key, err := secretText(r.KeyFile, getenv)
		if err != nil {
			return a, err
		}
		a.Key = []byte(key)
		files, err := transport.Open(transport.Files{Key: "alerts", Cert: r.CertFile, Private: r.CertKeyFile, CA: r.CAFile})
		if err != nil {
			return a, err
		}
		a.TLS = files.Client("") // the receiver sets the name
		return a, nil
	}
}

// secretText reads a secret from a file, or from a variable of the environment that is named as
// env:NAME. A line end behind it is no part of it. An empty name gives an empty secret.
func secretText(name string, getenv func(string) string) (string, error) {
	if name == "" {
		return "", nil
	}
	variable, isVariable := strings.CutPrefix(name, "env:")
	text := []byte(getenv(variable))
	if !isVariable {
		var err error
		if text, err = readSecret(name); err != nil {
			return "", err
		}
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" || strings.ContainsAny(secret, "\r\n\x00") {
		return "", fmt.Errorf("%s has no secret in one line", name)
	}
	return secret, nil
}
