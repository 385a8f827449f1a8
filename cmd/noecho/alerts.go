package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"noecho/proxy/alert"
	"noecho/proxy/config"
)

func newAlertsCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alerts",
		Short: "Try where alerts go",
		Args:  knownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAlertsTestCommand(a))
	return cmd
}

func newAlertsTestCommand(a *app) *cobra.Command {
	var o overlay
	cmd := &cobra.Command{
		Use:   "test [--config] FILE",
		Short: "Send one event of each type to every sink of a configuration",
		Long: `Write one event of each type to every sink of alerts that a configuration names, and
print how many each has taken. The events have the instance, model and request id
` + alertsTest + `, or that text as their reason, a boot of their own, and no finding behind
them: console, evidence and top leave them out by their instance. The audit log gets no entry. The exit code is 1 if a sink did not take all of them.

Alert files are appended to, also while noecho serve writes them.`,
		Example: "  noecho alerts test /etc/noecho/config.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.changed = cmd.Flags().Changed
			switch {
			case len(args) > 1:
				return usageError("alerts test reads one configuration, got %d", len(args))
			case len(args) == 1 && o.config != "":
				return usageError("two configurations are given: %s and, with --config, %s", args[0], o.config)
			case len(args) == 1:
				o.config = args[0]
			}
			cfg, err := o.load(a.getenv)
			if err != nil {
				return err
			}
			return testAlerts(cmd.Context(), a, &cfg)
		},
	}
	o.addConfig(cmd)
	return cmd
}

// alertsTest marks the events of a test.
const alertsTest = alert.TestInstance

// testAlerts offers one event of each type to the sinks of a configuration.
func testAlerts(ctx context.Context, a *app, cfg *config.Config) error {
	cfg.Audit, cfg.Instance = config.Audit{}, alertsTest
	for i := range cfg.Alerts {
		cfg.Alerts[i].Rotate = 0          // a running proxy rotates its file itself
		cfg.Alerts[i].Receiver.Spool = "" // and owns its spools
	}
	log, err := openAlerts(ctx, cfg, a.stdout, a.getenv, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	events := testEvents(time.Now())
	for _, ev := range events {
		log.Offer(ev)
	}
	end, cancel := context.WithTimeout(ctx, alertsPatience)
	defer cancel()
	err = log.Close(end)
	for _, s := range log.Stats().Sinks {
		taken, below := s.Delivered+s.Gaps, "" // one of the events is a gap
		if s.Skipped > 0 {
			below = fmt.Sprintf(", %d are below its min_severity", s.Skipped)
		}
		_, _ = fmt.Fprintf(a.stderr, "noecho: %s: %s of %d written%s\n", s.Name, count(taken, "event"), log.Stats().Offered, below)
		if taken+s.Skipped < log.Stats().Offered {
			why := ""
			if s.Reason != "" {
				why = ": " + s.Reason
			}
			err = errors.Join(err, fmt.Errorf("%s did not take all events%s", s.Name, why))
		}
	}
	return err
}

// testEvents returns one event of each type but digest.
func testEvents(now time.Time) (all []alert.Event) {
	for _, t := range alert.Types() {
		if t == alert.TypeDigest {
			continue // the log writes one at its end
		}
		ev := alert.Event{
			Type: t, Mode: "observe", Route: "/", API: "openai.chat", Path: "/", Model: alertsTest, RequestID: alertsTest,
			Channel: "choices.0.content", Reason: alertsTest, Sink: alertsTest, Index: alert.Index{BuildID: alertsTest},
			Client: "127.0.0.1", Since: now, Period: 60, Build: readBuildInfo().Version,
		}
		switch t {
		case alert.TypeFinding:
			ev.Action, ev.Kind, ev.Lane, ev.Words, ev.Windows, ev.End, ev.Rule = alert.Observed, alert.Verbatim, alert.LanePlain, 10, 1, 60, "mode"
			ev.Digests, ev.Records, ev.RecordCount = []alert.Digest{0}, []alert.Record{{ID: alertsTest, Labels: []string{}}}, 1
		case alert.TypeUnscanned:
			ev.Action, ev.Bytes = alert.Passed, 1
		case alert.TypeProbing:
			ev.Action, ev.Findings = alert.Observed, 1
		case alert.TypeDrip:
			ev.Action, ev.Words, ev.Requests = alert.Observed, 1, 2
		case alert.TypeGap:
			ev.Lost = 1 // itself
		case alert.TypeTally:
			ev.Fates = map[string]int64{"scanned": 0, "passed": 0, "refused": 0}
		case alert.TypeReload:
			ev.Action = alert.Applied
		case alert.TypeAccess:
			ev.Action = alert.LookedUp
		}
		all = append(all, ev)
	}
	return all
}
