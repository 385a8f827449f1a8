package format

import (
	"net/netip"
	"strings"
	"time"

	"noecho/proxy/alert"
)

// rest are the members of an event that a schema has no fields for. OCSF has them in
// unmapped, ECS in noecho.
type rest struct {
	Type        alert.Type            `json:"type"`
	Boot        string                `json:"boot"`
	Action      alert.Action          `json:"action,omitempty"`
	Mode        string                `json:"mode,omitempty"`
	Route       string                `json:"route,omitempty"`
	API         string                `json:"api,omitempty"`
	Path        string                `json:"path,omitempty"`
	Stream      *bool                 `json:"stream,omitempty"`
	Channel     string                `json:"channel,omitempty"`
	Channels    []string              `json:"channels,omitempty"`
	Kind        alert.Kind            `json:"kind,omitempty"`
	Lane        string                `json:"lane,omitempty"`
	Identifier  string                `json:"identifier,omitempty"`
	Start       int64                 `json:"start,omitempty"`
	End         int64                 `json:"end,omitempty"`
	Words       int                   `json:"words,omitempty"`
	Windows     int                   `json:"windows,omitempty"`
	Resumed     bool                  `json:"resumed,omitempty"`
	Digests     []alert.Digest        `json:"digests,omitempty"`
	RecordCount int                   `json:"record_count,omitempty"`
	Suppressed  uint64                `json:"suppressed,omitempty"`
	Index       *alert.Index          `json:"index,omitempty"`
	Forwarded   string                `json:"forwarded,omitempty"`
	Traceparent string                `json:"traceparent,omitempty"`
	Signal      []alert.Signal        `json:"signal,omitempty"`
	Instance    string                `json:"instance,omitempty"`
	User        string                `json:"user,omitempty"`
	Client      string                `json:"client,omitempty"`
	Reason      string                `json:"reason,omitempty"`
	Bytes       int64                 `json:"bytes,omitempty"`
	Sink        string                `json:"sink,omitempty"`
	Lost        uint64                `json:"lost,omitempty"`
	First       uint64                `json:"first,omitempty"`
	Last        uint64                `json:"last,omitempty"`
	Since       *time.Time            `json:"since,omitempty"`
	Lines       uint64                `json:"lines,omitempty"`
	Counts      map[alert.Type]uint64 `json:"counts,omitempty"`
	SHA256      string                `json:"sha256,omitempty"`
	Answers     []alert.Answers       `json:"answers,omitempty"`
	Bodies      map[string]int64      `json:"body_bytes,omitempty"`
	Findings    int                   `json:"findings,omitempty"`
	Probes      int                   `json:"probes,omitempty"`
	Period      int64                 `json:"period,omitempty"`
	Requests    int                   `json:"requests,omitempty"`
	RecordWords int                   `json:"record_words,omitempty"`
	Several     bool                  `json:"several,omitempty"`
}

// restOf returns all members of an event but those that both schemas have fields for.
func restOf(ev *alert.Event) rest {
	r := rest{
		Type: ev.Type, Boot: ev.Boot, Action: ev.Action, Mode: ev.Mode, Route: ev.Route, API: ev.API, Path: ev.Path, Channel: ev.Channel,
		Channels: ev.Channels, Kind: ev.Kind, Lane: ev.Lane, Identifier: ev.Identifier, Start: ev.Start, End: ev.End, Words: ev.Words,
		Windows: ev.Windows, Resumed: ev.Resumed, Digests: ev.Digests, RecordCount: ev.RecordCount, Suppressed: ev.Suppressed,
		Forwarded: ev.Forwarded, Traceparent: ev.Traceparent, Signal: ev.Signal, Instance: ev.Instance, Reason: ev.Reason, Bytes: ev.Bytes,
		Sink: ev.Sink, Lost: ev.Lost, First: ev.First, Lines: ev.Lines, Counts: ev.Counts, SHA256: ev.SHA256, Answers: ev.Answers,
		Bodies: ev.Fates, Findings: ev.Findings, Probes: ev.Probes, Period: ev.Period, Requests: ev.Requests, RecordWords: ev.RecordWords,
		Several: ev.Several,
	}
	if ev.Model != "" {
		r.Stream = &ev.Stream
	}
	if ev.Index != (alert.Index{}) {
		r.Index = &ev.Index
	}
	if !ev.Since.IsZero() {
		since := ev.Since.UTC()
		r.Since = &since
	}
	switch ev.Type {
	case alert.TypeGap:
		r.First, r.Last = ev.Seq-min(ev.Lost, ev.Seq)+1, ev.Seq
	case alert.TypeDigest:
		r.Last = ev.Seq - 1
	}
	return r
}

// address returns the address of a caller without its port, empty if it is no address.
func address(client string) string {
	if a, err := netip.ParseAddrPort(client); err == nil {
		return a.Addr().WithZone("").String()
	}
	a, err := netip.ParseAddr(strings.Trim(client, "[]"))
	if err != nil {
		return ""
	}
	return a.WithZone("").String()
}

// techniques are those of MITRE ATLAS that the signals of an event speak for.
func techniques(ev *alert.Event) (ids, names []string) {
	if len(ev.Signal) == 0 && ev.Type != alert.TypeProbing && ev.Type != alert.TypeDrip {
		return nil, nil
	}
	return []string{"AML.T0024", "AML.T0057"}, []string{"Exfiltration via AI Inference API", "LLM Data Leakage"}
}
