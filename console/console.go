// Package console shows alerts in a browser: pages for people, and the JSON answers that the
// pages are made of. docs/console.md describes it.
//
// It reads alert files and keeps rows of them in memory; the files are the source. It knows
// alerts, rules and HTTP. It sees no text of an answer, except one that a person types to look
// it up, which it hands to a function and forgets. It writes nothing; the lines about people who
// looked up or exported data go to a function as well. It asks no other host.
package console

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"noecho/proxy/alert"
	"noecho/proxy/config"
)

//go:embed assets
var assets embed.FS

// Options are the options of [New]. Paths is required.
type Options struct {
	Paths []string // alert files, which are read with their rotated and packed ones, and folders of them
	Note  string   // a sentence that every page shows; empty: none

	// Access names the people that the console lets in. The zero value closes it.
	Access Access

	// Config returns the configuration in force; nil: it is not known.
	Config func() *config.Config

	// Look returns the findings in a text; nil: there is no index.
	Look func(text string) (Looked, error)

	// Record takes a line about a person who looked up or exported data; nil: it is dropped.
	Record func(alert.Event)

	// Warn takes the error of a file that cannot be read; nil: it is dropped.
	Warn func(path, problem string)

	RecordURL string           // page of a record, with {dataset} and {id}; empty: none
	Version   string           // of noecho
	Now       func() time.Time // nil: time.Now
}

// Looked is the result of a look-up in the indexes.
type Looked struct {
	LeastWords int           // of a window
	Words      int           // of the text
	Indexes    []string      // names of the indexes
	Findings   []alert.Event // with Kind, Lane, Identifier, Words, Digests, Records and RecordCount
}

// Console answers the requests of browsers. Safe for concurrent use.
type Console struct {
	opts    Options
	store   *store
	reader  *reader
	access  *gate
	handler http.Handler
	ended   chan struct{} // closed when Run ends: streams end
	streams chan struct{} // as many as there are streams
}

// New returns a console that has read nothing yet: [Console.Run] reads.
func New(opts Options) *Console {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Warn == nil {
		opts.Warn = func(string, string) {}
	}
	if opts.Record == nil {
		opts.Record = func(alert.Event) {}
	}
	c := &Console{
		opts: opts, store: newStore(opts.RecordURL), access: newGate(opts.Access, opts.Now),
		ended: make(chan struct{}), streams: make(chan struct{}, maxStreams),
	}
	c.reader = &reader{store: c.store, paths: opts.Paths, now: opts.Now, failed: map[string]string{}, warn: opts.Warn}
	c.handler = c.routes()
	return c
}

// lookEvery is the time between two looks at the files.
const lookEvery = time.Second

// Run reads the files, and then the lines that are appended to them, until ctx ends. Call it
// once.
func (c *Console) Run(ctx context.Context) {
	defer close(c.ended)
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		c.reader.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// ServeHTTP answers the requests below /console/.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// api is the path of the JSON answers.
const api = "/console/api/v1/"

// policyHeader keeps a page from loading or sending anything elsewhere.
const policyHeader = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// routes is the table of the console.
func (c *Console) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /console", http.RedirectHandler("/console/", http.StatusPermanentRedirect))
	mux.HandleFunc("GET /console/", c.static)
	mux.HandleFunc("GET "+api+"session", func(w http.ResponseWriter, r *http.Request) { answerSession(c, w, r) })
	mux.HandleFunc("POST "+api+"login", func(w http.ResponseWriter, r *http.Request) { answerLogin(c, w, r) })
	mux.HandleFunc("POST "+api+"logout", func(w http.ResponseWriter, r *http.Request) { answerLogout(c, w, r) })
	for _, route := range []struct {
		pattern string
		role    Role
		answer  func(c *Console, w http.ResponseWriter, r *request) (any, error)
	}{
		{"GET " + api + "overview", Viewer, answerOverview},
		{"GET " + api + "findings", Viewer, answerFindings},
		{"GET " + api + "findings/{boot}/{seq}", Viewer, answerFinding},
		{"GET " + api + "findings.csv", Analyst, answerTable},
		{"GET " + api + "live", Viewer, answerLive},
		{"GET " + api + "records", Viewer, answerRecords},
		{"GET " + api + "callers", Viewer, answerCallers},
		{"POST " + api + "lookup", Privacy, answerLookup},
		{"POST " + api + "whatif", Analyst, answerWhatIf},
		{"GET " + api + "tuning", Viewer, answerTuning},
		{"POST " + api + "tuning/file", Analyst, answerTuningFile},
		{"GET " + api + "coverage", Viewer, answerCoverage},
		{"GET " + api + "evidence/summary", Analyst, answerEvidenceSummary},
		{"GET " + api + "evidence.zip", Analyst, answerEvidence},
	} {
		mux.HandleFunc(route.pattern, c.answering(route.role, route.answer))
	}
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policyHeader)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		if why := c.access.strange(r); why != "" {
			refuse(w, http.StatusForbidden, why)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// request is a request whose person has the role for it.
type request struct {
	*http.Request
	who person
	now time.Time
}

// fault is an error with the status of its answer.
type fault struct {
	status int
	error
}

// answering returns the handler of an answer for the people of a role.
func (c *Console) answering(least Role, answer func(c *Console, w http.ResponseWriter, r *request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who := c.access.person(r)
		switch {
		case who.Role == Nobody && who.User != "":
			refuse(w, http.StatusForbidden, "none of your groups has a role")
			return
		case who.Role == Nobody:
			refuse(w, http.StatusUnauthorized, cmp.Or(c.access.closed(), "sign in first"))
			return
		case who.Role < least:
			refuse(w, http.StatusForbidden, fmt.Sprintf("this needs the role %s, and you have the role %s", least, who.Role))
			return
		}
		if loading, loaded := c.store.progress(); loading {
			refuse(w, http.StatusServiceUnavailable, fmt.Sprintf("reading the alert files, %d %%", loaded))
			return
		}
		out, err := answer(c, w, &request{r, who, c.opts.Now()})
		var f *fault
		switch {
		case errors.As(err, &f):
			refuse(w, f.status, f.Error())
		case err != nil:
			refuse(w, http.StatusBadRequest, err.Error())
		case out != nil:
			reply(w, out)
		}
	}
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": why})
}

// reply answers with a value.
func reply(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "the answer cannot be written as JSON: "+err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(append(body, '\n'))
}

// readBody reads the JSON body of a request.
func readBody(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) != "application/json" {
		return &fault{http.StatusUnsupportedMediaType, errors.New("send application/json")}
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit)).Decode(v)
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return &fault{http.StatusRequestEntityTooLarge, fmt.Errorf("the request is longer than %d bytes", limit)}
	case err != nil:
		return errors.New("the request is no JSON of this answer")
	}
	return nil
}

// pages are the names that show the page of the console.
var pages = []string{"", "overview", "findings", "records", "callers", "lookup", "whatif", "tuning", "coverage", "evidence"}

// static answers with the files of the page, which have no data.
func (c *Console) static(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/console/")
	if slices.Contains(pages, name) {
		name = "index.html"
	}
	types := map[string]string{
		".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon",
	}
	kind := types[path.Ext(name)]
	data, err := fs.ReadFile(assets, "assets/"+name)
	if err != nil || kind == "" {
		refuse(w, http.StatusNotFound, "there is no such page")
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(data)
}

// known says in each answer how far back it knows.
type known struct {
	RowsSince *time.Time `json:"rows_since"`
	SumsSince *time.Time `json:"sums_since"`
	Until     *time.Time `json:"until"`
	Rows      int        `json:"rows"`
	Forgotten uint64     `json:"forgotten"`
	Loading   bool       `json:"loading"`
	Loaded    int        `json:"loaded"`
	Missing   uint64     `json:"missing"`
	Other     int        `json:"other"`
	Tests     int        `json:"tests"`
	Skipped   []string   `json:"skipped"` // files of other lines
	Note      string     `json:"note"`
}

// progress reports whether the files are read for the first time, and how much of them is read.
func (s *store) progress() (loading bool, percent int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.loading, s.loaded
}

// known describes the store. The caller has locked it.
func (c *Console) known() known {
	s := c.store
	k := known{Rows: s.n, Forgotten: s.forgotten, Loading: s.loading, Loaded: s.loaded, Other: s.other, Tests: s.tests, Note: c.opts.Note}
	k.Skipped = []string{}
	for _, path := range slices.Sorted(maps.Keys(c.reader.skipped)) {
		k.Skipped = append(k.Skipped, path[strings.LastIndexAny(path, `/\`)+1:])
	}
	if s.n > 0 {
		k.RowsSince = moment(s.at(0).time)
	}
	for hour := range s.hours {
		if t := moment(hour * int64(time.Hour)); k.SumsSince == nil || t.Before(*k.SumsSince) {
			k.SumsSince = t
		}
	}
	if s.until > 0 {
		k.Until = moment(s.until)
	}
	for _, b := range s.boots {
		k.Missing += b.missing()
	}
	return k
}

// moment returns a time of Unix nanoseconds.
func moment(ns int64) *time.Time {
	t := time.Unix(0, ns).UTC()
	return &t
}

// recordAccess writes the line about a person who looked up or exported data.
func (c *Console) recordAccess(r *request, action alert.Action, reason string) {
	ev := alert.Event{Type: alert.TypeAccess, Action: action, User: r.who.User, Path: r.URL.Path, Reason: reason}
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		ev.Client = a.Addr().String()
	}
	c.opts.Record(ev)
}
