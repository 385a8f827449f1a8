// Package config turns a YAML file into one value that never changes.
//
// It knows the keys, their defaults and what makes a value wrong, and says so
// with file, line and column. It opens no file but the configuration itself,
// and takes only the actions, extents and releases from package detect: whether
// an index fits or an upstream answers is for others to find out.
package config

import (
	"net/url"
	"path"
	"time"

	"noecho/detect"
)

// Version is the version of the configuration format this package reads.
const Version = 1

// Unscanned is what happens to an answer that cannot be scanned.
type Unscanned uint8

// The policies. The zero value refuses.
const (
	Refuse Unscanned = iota // the caller gets an error instead
	Pass                    // it is passed on and counted
)

// String returns the policy's name in a configuration file.
func (u Unscanned) String() string { return [...]string{"refuse", "pass"}[u] }

// Schema is what redact mode does with an answer whose caller asked for JSON.
type Schema uint8

// The policies. A mask keeps JSON valid, but a schema may not allow it.
const (
	RedactSchema Schema = iota // the mask stands in it
	BlockSchema                // it is blocked instead
)

// String returns the policy's name in a configuration file.
func (s Schema) String() string { return [...]string{"redact", "block"}[s] }

// Config is a whole configuration. Treat it as read-only: several goroutines
// share it.
type Config struct {
	Mode     detect.Action
	Listen   string // host:port of the data port
	Admin    Admin
	Index    []Index
	Upstream Upstream
	Routes   []Route // empty: one mount of the whole catalogue at /
	Mask     string
	Rules    []Rule
	Extent   detect.Extent
	Near     Near
	Lanes    []string // of [LaneNames]
	Alerts   []Alert
	Limits   Limits
	Headers  Headers

	Identifiers Identifiers
	Budget      Budget
	Coverage    Coverage

	// PrincipalKeyFile holds the key under which alerts and rules name
	// credentials; empty: a new one each time noecho starts.
	PrincipalKeyFile string
}

// Admin is the admin plane.
type Admin struct {
	Listen    string // host:port
	TokenFile string // holds the bearer token; empty: none
}

// Index names one index file.
type Index struct {
	Path string
}

// Upstream is a model server.
type Upstream struct {
	URL    *url.URL // http or https; nil if none is given
	CAFile string   // PEM certificates to trust instead of the system's
}

// Route says what happens to one path, or to everything below a prefix. What
// it leaves open is inherited from the file's top level.
type Route struct {
	Path      string // a whole path, or a prefix ending in /
	API       string // API family, "pass", or empty: as the catalogue has it
	Upstream  *url.URL
	Mode      *detect.Action
	Unscanned Unscanned
	Schema    Schema
	Release   detect.Release
	MinWords  int // 0: the index's n
	Extent    *detect.Extent
	Models    []ModelMode
}

// ModelMode is the mode for the models whose names match a glob.
type ModelMode struct {
	Glob string // as path.Match reads it, except that * also matches /
	Mode detect.Action
}

// ModeFor returns the mode for a model, given what the file says by default.
// The first glob that matches decides.
func (r *Route) ModeFor(model string, inherited detect.Action) detect.Action {
	for _, m := range r.Models {
		if globMatch(m.Glob, model) {
			return m.Mode
		}
	}
	if r.Mode != nil {
		return *r.Mode
	}
	return inherited
}

// globMatch matches without treating / as a separator: model names hold it.
func globMatch(glob, name string) bool {
	const stand = "\x01"
	ok, err := path.Match(replaceSlash(glob, stand), replaceSlash(name, stand))
	return err == nil && ok
}

// Alert is one place that alerts are written to.
type Alert struct {
	Type   AlertType
	Path   string // for AlertFile
	Rotate int64  // bytes after which the file is rotated; 0: never
}

// AlertType is a kind of alert sink.
type AlertType uint8

// The sinks.
const (
	AlertFile AlertType = iota
	AlertStdout
)

// String returns the type's name in a configuration file.
func (t AlertType) String() string { return [...]string{"file", "stdout"}[t] }

// Headers names request headers that are passed on besides the built-in ones.
type Headers struct {
	Pass []string // lower case
}

// Limits bounds everything that a caller or a model could make grow. Sizes are
// in bytes. DefaultLimits says what each is by default.
type Limits struct {
	Streams      int           // answers in flight
	Connections  int           // callers connected
	Header       int64         // a request's header block
	Request      int64         // a request body
	Answer       int64         // an unstreamed answer, decoded
	Stream       int64         // a streamed answer, decoded
	Held         int64         // held text of one channel
	Ratio        int64         // decoded bytes for one encoded byte
	PromptCache  int64         // scanned prompt messages kept in memory
	HeaderTime   time.Duration // until a request's header block is read
	RequestTime  time.Duration // until its body is read
	CallerIdle   time.Duration // between two requests of a connection
	CallerStall  time.Duration // a caller that does not read
	Connect      time.Duration // until the upstream accepts, TLS included
	Silence      time.Duration // an upstream that says nothing
	Total        time.Duration // a whole exchange
	UpstreamIdle time.Duration // an unused upstream connection
	Drain        time.Duration // answers in flight when noecho stops
}

// DefaultLimits returns the limits that hold where a file says nothing.
// docs/configuration.md gives the reason for each.
func DefaultLimits() Limits {
	return Limits{
		Streams:      1024,
		Connections:  4096,
		Header:       32 << 10,
		Request:      64 << 20,
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
		Budget:      Budget{Findings: 1000, Per: time.Hour, Then: ThenAlert},
		Coverage:    Coverage{Words: 200, Share: 0.5, Over: 24 * time.Hour},
	}
}
