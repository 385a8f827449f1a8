// Package config turns a YAML file into one value that never changes.
//
// It knows the keys, their defaults and the bounds of their values. An error names file,
// line and column. The package opens no file but the configuration itself, and takes only
// the actions, extents and releases from package detect. It does not know whether an index
// fits or an upstream answers.
package config

import (
	"io/fs"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"time"

	"noecho/detect"
	"noecho/internal/ignore"
)

// Version is the version of the configuration format that this package reads.
const Version = 1

// Unscanned is the policy for an answer that cannot be scanned, or for a request whose
// prompt shows no text.
type Unscanned uint8

// The policies. The zero value refuses.
const (
	Refuse Unscanned = iota // the caller gets an error instead
	Pass                    // the answer is passed on and counted
)

// String returns the policy's name in a configuration file.
func (u Unscanned) String() string { return [...]string{"refuse", "pass"}[u] }

// Schema is the policy of redact mode for an answer whose caller asked for JSON. A mask
// keeps JSON valid, but a schema may not allow its text.
type Schema uint8

// The policies.
const (
	RedactSchema Schema = iota // findings are masked as in other answers
	BlockSchema                // findings block the answer
)

// String returns the policy's name in a configuration file.
func (s Schema) String() string { return [...]string{"redact", "block"}[s] }

// Blocked is the answer to a request for a stream whose first words are blocked.
type Blocked uint8

// The answers.
const (
	BlockedStream Blocked = iota // a stream that ends as a filtered one
	BlockedStatus                // status 400, for which the head of every stream waits
)

// String returns the answer's name in a configuration file.
func (b Blocked) String() string { return [...]string{"stream", "status"}[b] }

// Config is a whole configuration. Treat it as read-only: several goroutines
// share it.
type Config struct {
	Mode     detect.Action
	Listen   string      // host:port of the data port, or unix: and the path of a socket
	Socket   fs.FileMode // of the socket of the data port; 0: 0600
	TLS      TLS         // of the data port
	Admin    Admin
	Console  Console // on the admin plane
	Index    []Index
	KeyFiles []string // of keys that indexes were built with, besides those of Index
	Trust    Trust
	Upstream Upstream
	Routes   []Route // empty: one mount of the whole catalogue at /
	Mask     string
	Rules    []Rule
	Extent   detect.Extent
	Near     Near
	Lanes    []string // of [LaneNames]
	Alerts   []Alert
	Audit    Audit
	Access   AccessLog
	LogLevel LogLevel
	Traces   Traces
	Limits   Limits
	Headers  Headers
	CORS     CORS

	Identifiers Identifiers
	Budget      Budget
	Coverage    Coverage

	// ChannelNames are names of members that alerts write as they are, in the name of a
	// channel, besides those of the APIs.
	ChannelNames []string

	// Instance is the name of this instance of noecho in alerts; empty: that of the host.
	Instance string

	// TrustedProxies are the addresses from which headers about the caller are believed.
	TrustedProxies []netip.Prefix

	Identify Identify
	Ignore   Ignore

	// PrincipalKeyFile contains the key by which alerts and rules name credentials; empty:
	// a new key each time noecho starts.
	PrincipalKeyFile string
}

// Identify says what names the user who sent a request.
type Identify struct {
	User        string          // in lower case; empty: none
	Certificate CertificateName // in place of a header: the part of the client's certificate
}

// Ignore names windows that answers may repeat: entries, and files of more.
type Ignore struct {
	Entries []ignore.Entry
	Files   []string
}

// Admin is the admin plane.
type Admin struct {
	Listen    string      // host:port, or unix: and the path of a socket
	Socket    fs.FileMode // of the socket; 0: 0600
	TokenFile string      // contains the bearer token; empty: none
	TLS       TLS
}

// TLS names the files of TLS of a listener, or of the connections to model servers. The zero
// value of a listener is no TLS.
type TLS struct {
	CertFile, KeyFile string // of the own certificate; empty: none
	CAFile            string // authorities of the certificates of the other side
	CRLFile           string // revoked certificates of clients
	ServerName        string // in the certificate of the model server; empty: that of the URL
	Min               TLSVersion
}

// On reports whether a listener speaks TLS.
func (t *TLS) On() bool { return t.CertFile != "" }

// TLSVersion is the lowest version of TLS that is spoken.
type TLSVersion uint8

// The versions.
const (
	TLS12 TLSVersion = iota
	TLS13
)

// String returns the version as in a configuration file.
func (v TLSVersion) String() string { return [...]string{"1.2", "1.3"}[v] }

// CertificateName is the part of a client's certificate that names its user.
type CertificateName uint8

// The parts. The zero value is none.
const (
	NameNone CertificateName = iota
	NameCommon
	NameSubject
	NameDNS
	NameEmail
	NameURI
)

// String returns the part's name in a configuration file.
func (c CertificateName) String() string {
	return [...]string{"", "common_name", "subject", "dns_name", "email", "uri"}[c]
}

// Console are the pages for people on the admin plane.
type Console struct {
	On           bool
	UserHeader   string   // names the user in requests of trusted proxies, in lower case; empty: none
	GroupsHeader string   // names the groups of the user, in lower case; empty: none
	Viewers      []string // groups that see pages
	Analysts     []string // groups that also export and try rules
	Privacy      []string // groups that also look people up
	Hosts        []string // names by which pages are asked for, besides loopback addresses
	RecordURL    string   // page of a record, with {dataset} and {id}; empty: none
}

// Index names one index file.
type Index struct {
	Path       string
	KeyFile    string // contains the key that it was built with; empty: none, or one of KeyFiles
	MinCounter uint64 // lowest counter that its signature may have; 0: that of Trust
}

// Trust says which indexes may be used. The zero value is all.
type Trust struct {
	Keys       []string // public keys of minisign, or names of files with one; empty: indexes need no signature
	MinCounter uint64   // lowest counter that a signature may have
	Model      string   // digest of the model that the upstream serves; empty: not known
}

// Upstream is a model server.
type Upstream struct {
	URL    *url.URL // http or https, or unix with the path of a socket; nil: none
	CAFile string   // PEM certificates to trust instead of the system's; not together with TLS
	TLS    TLS
}

// Route is the policy for one path, or for all paths below a prefix. Mode and Extent are
// those of the whole file if they are nil.
type Route struct {
	Path      string // a whole path, or a prefix ending in /
	API       string // an API family, or "pass"; empty: as in the catalogue
	Upstream  *url.URL
	Mode      *detect.Action
	Unscanned Unscanned
	Tokens    Unscanned // prompts of token ids or embeddings
	Schema    Schema
	Blocked   Blocked
	Release   detect.Release
	MinWords  int // shortest finding; 0: the n of the index
	Extent    *detect.Extent
	Models    []ModelMode
}

// ModelMode is the mode for the models whose names match a glob.
type ModelMode struct {
	Glob string // as path.Match reads it, except that * also matches /
	Mode detect.Action
}

// ModeFor returns the mode for a model: that of the first glob that matches, else that of
// the route, else inherited, the mode of the file.
func (r *Route) ModeFor(model string, inherited detect.Action) detect.Action {
	for _, m := range r.Models {
		if MatchModel(m.Glob, model) {
			return m.Mode
		}
	}
	if r.Mode != nil {
		return *r.Mode
	}
	return inherited
}

// MatchModel reports whether the name of a model matches a glob. Other than in a path, / is
// no separator: the names of models contain it.
func MatchModel(glob, name string) bool {
	ok, err := path.Match(replaceSlash(glob), replaceSlash(name))
	return err == nil && ok
}

// replaceSlash replaces each / by a character that path.Match does not treat specially.
func replaceSlash(s string) string { return strings.ReplaceAll(s, "/", "\x01") }

// Audit names the audit log that gets an entry about starts, reloads and the digests of the
// first sink of alerts. The zero value is none.
type Audit struct {
	Dir     string
	KeyFile string // the secret key of the log; empty: Dir and .key
}

// LogLevel is the least important line that the log of noecho has.
type LogLevel uint8

// The levels. The zero value is the default.
const (
	LogInfo LogLevel = iota
	LogDebug
	LogWarn
	LogError
)

// String returns the level's name in a configuration file.
func (l LogLevel) String() string { return [...]string{"info", "debug", "warn", "error"}[l] }

// AccessLog is the file that gets a line for each answer. The zero value is none.
type AccessLog struct {
	Path   string      // "stdout" is the standard output
	Rotate int64       // bytes after which the file is rotated; 0: never
	Mode   fs.FileMode // of the file; 0: 0600
	Group  string      // name or number of the group of the file; empty: as the system sets it
}

// Traces says where spans of traces go. The zero value is nowhere.
type Traces struct {
	URL       string  // of a collector of OpenTelemetry, whole; empty: there is none
	Share     float64 // of the traces that begin at noecho, 0 to 1
	TokenFile string  // contains a bearer token; empty: none
	CAFile    string  // PEM certificates to trust instead of the system's; empty: none
}

// AccessStdout is the path of an access log on the standard output.
const AccessStdout = "stdout"

// Headers names request headers that are passed on besides the built-in ones.
type Headers struct {
	Pass []string // lower case
}

// CORS says which pages of other origins may ask. The zero value leaves that to the upstream.
type CORS struct {
	Origins     []string // such as "https://app.example.com"; "*" is any
	Credentials bool     // a page may send cookies and the like
	MaxAge      time.Duration
}

// On reports whether noecho answers pages of other origins itself.
func (c *CORS) On() bool { return len(c.Origins) > 0 }

// Limits bounds everything that a caller or a model could make grow. Sizes are in bytes.
type Limits struct {
	Streams      int           // answers in flight
	Connections  int           // callers connected
	Header       int64         // a request's header block
	Request      int64         // a request body
	Bodies       int64         // all request bodies in memory
	AnswerHeader int64         // an answer's header block
	Answer       int64         // an unstreamed answer, decoded
	Stream       int64         // a streamed answer, decoded
	Held         int64         // text of one channel that waits for a decision
	Ratio        int64         // decoded bytes for one encoded byte
	PromptCache  int64         // scanned prompt messages kept in memory
	HeaderTime   time.Duration // until a request's header block is read
	RequestTime  time.Duration // until its body is read
	CallerIdle   time.Duration // between two requests of a connection
	CallerStall  time.Duration // until a caller reads on
	Connect      time.Duration // until the upstream accepts, TLS included
	Silence      time.Duration // until an upstream sends more bytes
	Total        time.Duration // a whole exchange
	UpstreamIdle time.Duration // an unused upstream connection
	Drain        time.Duration // answers in flight when noecho stops
}

// BodyBudget returns the most bytes that all request bodies together may have in memory. The
// longest body allowed always fits.
func (l *Limits) BodyBudget() int64 { return max(l.Bodies, l.Request) }

// DefaultLimits returns the limits of an empty file. docs/configuration.md gives the reason
// for each.
func DefaultLimits() Limits {
	return Limits{
		Streams:      1024,
		Connections:  4096,
		Header:       32 << 10,
		Request:      64 << 20,
		Bodies:       512 << 20,
		AnswerHeader: 256 << 10,
		Answer:       64 << 20,
		Stream:       1 << 30,
		Held:         64 << 10,
		Ratio:        200,
		PromptCache:  64 << 20,
		HeaderTime:   10 * time.Second,
		RequestTime:  5 * time.Minute,
		CallerIdle:   75 * time.Second,
		CallerStall:  time.Minute,
		Connect:      5 * time.Second,
		Silence:      10 * time.Minute,
		Total:        time.Hour,
		UpstreamIdle: 4 * time.Second,
		Drain:        25 * time.Second,
	}
}

// Default returns the configuration of an empty file.
func Default() Config {
	return Config{
		Mode:   detect.Redact,
		Listen: "127.0.0.1:8711",
		Admin:  Admin{Listen: "127.0.0.1:8712"},
		Mask:   "[redacted]",
		Limits: DefaultLimits(),
		Lanes:  LaneNames(),

		Identifiers: Identifiers{MaxRecords: 100},
		Budget:      Budget{Findings: 1000, Probes: 20, Per: time.Hour, Then: ThenAlert},
		Coverage:    Coverage{Words: 200, Share: 0.5, Over: 24 * time.Hour},
	}
}
