// Package alert writes events, such as a finding in an answer, to sinks: files or the
// standard output. One event is one line of JSON. The caller never waits for a sink.
//
// It knows events, a bounded queue and sinks. It knows nothing of HTTP, of detection or
// of indexes, and it never sees text of an answer: no field of an [Event] may contain
// any. docs/alerts.md describes the line for its readers, and docs/alert.schema.json is
// its schema.
package alert

import (
	"encoding/hex"
	"fmt"
	"time"
)

// Version is the version of the line's format, its member "v".
const Version = 1

// Bounds of one event. [Log.Offer] cuts strings and lists that are longer.
const (
	MaxString   = 1024 // bytes of one string
	MaxDigests  = 64   // digests of one finding
	MaxRecords  = 16   // records of one finding
	MaxAnswers  = 64   // routes of one tally
	MaxChannels = 32   // texts that one finding is in
)

// Type is the sort of an event.
type Type string

// The types of event.
const (
	TypeFinding   Type = "finding"            // a span of an answer occurs in the training data
	TypeUnscanned Type = "unscanned"          // bytes of an answer could not be scanned
	TypeStart     Type = "start"              // the proxy began to serve
	TypeStop      Type = "stop"               // the proxy ended
	TypeReload    Type = "reload"             // configuration and indexes were read again
	TypeGap       Type = "gap"                // events were lost; only a Log makes these
	TypeProbing   Type = "membership_probing" // one caller caused more findings than its budget allows
	TypeDrip      Type = "slow_drip"          // much of one record was found, over several requests
	TypeDigest    Type = "digest"             // counts and a hash of the lines before it; only a Log makes these
	TypeMismatch  Type = "model_mismatch"     // a signed index is of another model than the configuration names
	TypeTally     Type = "tally"              // counts of answers and bytes since the tally before
	TypeAccess    Type = "access"             // somebody looked up or exported what noecho knows
)

// Action is the consequence of an event.
type Action string

// Types are all types of event, in the order in which documents list them.
func Types() []Type {
	return []Type{
		TypeFinding, TypeUnscanned, TypeProbing, TypeDrip, TypeGap, TypeDigest, TypeTally,
		TypeStart, TypeStop, TypeReload, TypeMismatch, TypeAccess,
	}
}

// The actions. The first five belong to findings, the next two to unscanned
// bytes, two to reloads and the last two to access.
const (
	Observed Action = "observed"
	Redacted Action = "redacted"
	Blocked  Action = "blocked"
	Echo     Action = "echo"    // none, because the caller itself had sent these words
	Ignored  Action = "ignored" // none, because the list of ignored windows has all of them
	Refused  Action = "refused"
	Passed   Action = "passed"
	Applied  Action = "applied"
	Failed   Action = "failed" // the last good state stays in force
	LookedUp Action = "looked_up"
	Exported Action = "exported"
)

// Signal is a reason to take findings for an attack, and not for a model that recites.
type Signal string

// The signals.
const (
	SignalDisguise Signal = "disguise" // the text was spelled so that it is hard to recognise
	SignalRecords  Signal = "records"  // the caller had findings in many records
	SignalRate     Signal = "rate"     // the caller had far more findings than in its own past
	SignalBudget   Signal = "budget"   // the caller's budget of findings or probes is used up
)

// Kind is the sort of a finding.
type Kind string

// The kinds of finding.
const (
	Verbatim Kind = "verbatim"
	Phrase   Kind = "phrase"
	Near     Kind = "near"
	Stuffing Kind = "stuffing"
)

// PlainPhrase takes the place of the kind of identifier if a phrase is a short text that
// identifies nobody.
const PlainPhrase = "phrase"

// IdentifierName returns the name of a kind of identifier for people.
func IdentifierName(kind string) string {
	switch kind {
	case "email":
		return "e-mail address"
	case "phone":
		return "phone number"
	case "iban":
		return "IBAN"
	case "card":
		return "payment card"
	case "ssn":
		return "social security no"
	case "key":
		return "secret key"
	case "subject":
		return "listed person"
	case PlainPhrase, "":
		return "short text"
	default:
		return kind
	}
}

// LanePlain is the lane of text that was read as it is, without decoding.
const LanePlain = "plain"

// Digest is the hash of one window, 16 hexadecimal digits in the line.
type Digest uint64

// MarshalText implements [encoding.TextMarshaler].
func (d Digest) MarshalText() ([]byte, error) { return d.append(nil), nil }

func (d Digest) append(dst []byte) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, digits[d>>shift&15])
	}
	return dst
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Digest) UnmarshalText(text []byte) error {
	var b [8]byte
	if len(text) != 2*len(b) {
		return fmt.Errorf("digest has %d digits, want 16", len(text))
	}
	if _, err := hex.Decode(b[:], text); err != nil {
		return fmt.Errorf("read digest: %w", err)
	}
	*d = 0
	for _, c := range b {
		*d = *d<<8 | Digest(c)
	}
	return nil
}

// Record names a training record that a finding occurs in.
type Record struct {
	ID      string   `json:"id"`
	Dataset string   `json:"dataset"`
	Labels  []string `json:"labels"`
}

// Index names the indexes in use.
type Index struct {
	BuildID    string `json:"build_id"`
	Generation uint64 `json:"generation"` // counts reloads of this process
}

// TestInstance is the instance of lines that try sinks. No answer and no process that serves is
// behind them.
const TestInstance = "noecho-alerts-test"

// Event is one line. [Log.Offer] fills V, ID, Seq, Boot, Time and an empty Severity; its
// caller fills the other fields, as far as it knows them.
//
// A finding has every member from V to Instance, in this order, Channels
// if it is in several, and none of those below. The other types have the members that docs/alerts.md lists.
type Event struct {
	V         int       `json:"v"`
	Type      Type      `json:"type"`
	ID        string    `json:"id"`   // ULID
	Seq       uint64    `json:"seq"`  // counts the events offered in this boot, from 1
	Boot      string    `json:"boot"` // ULID of the process's start
	Time      time.Time `json:"time"` // informational: Seq is the order
	Severity  Severity  `json:"severity"`
	Action    Action    `json:"action"`
	Mode      string    `json:"mode"`
	Route     string    `json:"route"`
	API       string    `json:"api"`
	Path      string    `json:"path"` // without its query
	Model     string    `json:"model"`
	Stream    bool      `json:"stream"`
	RequestID string    `json:"request_id"`
	Client    string    `json:"client"`
	Principal string    `json:"principal"` // keyed hash of the credential, never the credential
	Channel   string    `json:"channel"`   // such as choices.0.content
	Kind      Kind      `json:"kind"`
	Lane      string    `json:"lane"` // empty means plain

	// Identifier is the kind of identifier that a phrase is, such as email, or
	// PlainPhrase; empty for other kinds of finding.
	Identifier string `json:"identifier"`

	Start   int64    `json:"start"` // bytes in the channel's unescaped text
	End     int64    `json:"end"`   // first byte after the span
	Words   int      `json:"words"`
	Windows int      `json:"windows"`
	Resumed bool     `json:"resumed"`
	Digests []Digest `json:"digests"` // not changed after Offer
	Records []Record `json:"records"` // not changed after Offer
	Index   Index    `json:"index"`

	// Suppressed counts the further findings of the same answer that got no
	// line of their own.
	Suppressed uint64 `json:"suppressed"`

	User        string   `json:"user"`         // as a header of the request names it; empty: none does
	Forwarded   string   `json:"forwarded"`    // address that the trusted proxies had the request from; empty: there are none
	Traceparent string   `json:"traceparent"`  // W3C trace context of the request; empty: none
	Rule        string   `json:"rule"`         // what decided the action: "rule 1" is the first rule of the configuration
	RecordCount int      `json:"record_count"` // records that are known to have the text; 16 means 16 or more
	Signal      []Signal `json:"signal"`       // not changed after Offer

	// Channels are the texts of the answer that the finding is in, the first of which is
	// Channel. A line has the member only if there are several.
	Channels []string `json:"channels,omitempty"` // not changed after Offer

	Instance string `json:"instance"` // of noecho, as its operator calls it; all types have it

	Reason string    `json:"reason,omitempty"`  // unscanned, stop, reload, gap: a fixed phrase, never text of an answer
	Bytes  int64     `json:"bytes,omitempty"`   // unscanned: the number of body bytes
	Build  string    `json:"version,omitempty"` // start, reload: version of noecho
	Sink   string    `json:"sink,omitempty"`    // gap: the sink in which events are missing
	Lost   uint64    `json:"lost,omitempty"`    // gap: the events Seq-Lost+1 to Seq are missing
	Since  time.Time `json:"since,omitzero"`    // gap: when the first of them was offered, as far as known; tally: when the counts began

	First  uint64          `json:"first,omitempty"`  // digest: the first event of the lines; the last one is Seq-1
	Lines  uint64          `json:"lines,omitempty"`  // digest: lines since the digest before it, itself included
	Counts map[Type]uint64 `json:"counts,omitempty"` // digest: these lines by type
	SHA256 string          `json:"sha256,omitempty"` // digest: hex SHA-256 of these lines as they are in this sink

	Answers []Answers        `json:"answers,omitempty"`    // tally; not changed after Offer
	Fates   map[string]int64 `json:"body_bytes,omitempty"` // tally: bytes of answers by what became of them; not changed after Offer

	Findings    int   `json:"findings,omitempty"`     // membership_probing: findings of the caller within Period
	Probes      int   `json:"probes,omitempty"`       // membership_probing: those that looked like guesses, see package policy
	Period      int64 `json:"period,omitempty"`       // membership_probing, slow_drip: seconds
	Requests    int   `json:"requests,omitempty"`     // slow_drip: requests that brought some of Words; 16 means 16 or more
	RecordWords int   `json:"record_words,omitempty"` // slow_drip: length of the record; 0: not known
	Several     bool  `json:"several,omitempty"`      // slow_drip: several callers asked, not Principal alone
}

// Answers counts the answers of one route by the way in which they ended: clean, observed,
// redacted, blocked, refused, forwarded, broken or gone.
type Answers struct {
	Route   string            `json:"route"`
	Actions map[string]uint64 `json:"actions"`
}

// Digests converts window hashes for an event, at most [MaxDigests] of them.
func Digests(hashes []uint64) []Digest {
	if len(hashes) > MaxDigests {
		hashes = hashes[:MaxDigests]
	}
	out := make([]Digest, len(hashes))
	for i, h := range hashes {
		out[i] = Digest(h)
	}
	return out
}
