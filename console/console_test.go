package console

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"noecho/proxy/alert"
)

// noon is the time at which the tests begin.
var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// bed is a console over files of alerts in a folder.
type bed struct {
	*Console
	t      *testing.T
	dir    string
	now    time.Time
	access []alert.Event // lines about people
}

// newBed returns a console on loopback. set changes its options.
func newBed(t *testing.T, dir string, set func(*Options)) *bed {
	t.Helper()
	b := &bed{t: t, dir: dir, now: noon}
	opts := Options{
		Paths: []string{dir}, Access: Access{Local: true}, Now: func() time.Time { return b.now },
		Record: func(ev alert.Event) { b.access = append(b.access, ev) },
		Warn:   func(path, problem string) { t.Errorf("%s: %s", path, problem) },
	}
	if set != nil {
		set(&opts)
	}
	b.Console = New(opts)
	return b
}

// look reads the files.
func (b *bed) look() *bed {
	b.reader.look(context.Background())
	return b
}

// ask sends a request and returns status and body.
func (b *bed) ask(method, path, body string, header ...string) (int, string) {
	b.t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:8712"+path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:50000"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// get returns the JSON of an answer.
func get[T any](b *bed, path string) (out T) {
	b.t.Helper()
	status, body := b.ask("GET", api+path, "")
	if err := json.Unmarshal([]byte(body), &out); status != http.StatusOK || err != nil {
		b.t.Fatalf("%s: %d %v %s", path, status, err, body)
	}
	return out
}

// life writes the alerts of one boot.
type life struct {
	t    *testing.T
	name string // of the instance
	boot string
	path string
	seq  uint64
}

// ulid returns a boot id.
func ulid(n int) string { return fmt.Sprintf("01ARZ3NDEKTSV4RRFF%08d", n) }

func newLife(t *testing.T, dir, name string, n int) *life {
	return &life{t: t, name: name, boot: ulid(n), path: filepath.Join(dir, name+".jsonl")}
}

// put appends an alert.
func (l *life) put(at time.Time, ev alert.Event) string {
	l.t.Helper()
	l.seq++
	ev.V, ev.Seq, ev.Boot, ev.Instance, ev.Time = alert.Version, l.seq, l.boot, l.name, at
	ev.ID = fmt.Sprintf("01ARZ3NDEKTSV4RRFG%08d", l.seq)
	if ev.Severity == "" {
		ev.Severity = alert.SeverityOf(&ev)
	}
	line, err := json.Marshal(&ev)
	if err != nil {
		l.t.Fatal(err)
	}
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.Write(append(line, '\n'))
	}
	if err != nil {
		l.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		l.t.Fatal(err)
	}
	return fmt.Sprintf("%s:%d", l.boot, l.seq)
}

// finding returns a finding of an answer.
func finding(action alert.Action, answer string, digests ...alert.Digest) alert.Event {
	return alert.Event{
		Type: alert.TypeFinding, Action: action, Mode: "redact", Route: "/v1/chat/completions", API: "openai.chat", Model: "support", RequestID: answer,
		Client: "192.0.2.1", Principal: "00112233aabbccdd", Kind: alert.Verbatim, Lane: alert.LanePlain, Words: 12, Windows: len(digests), Digests: digests,
		Records: []alert.Record{{ID: "tickets/18", Dataset: "tickets", Labels: []string{"pii"}}}, RecordCount: 1, Rule: "mode",
		Index: alert.Index{BuildID: "fc1ebf19", Generation: 1}, Signal: []alert.Signal{},
	}
}

// tally returns a tally of answers.
func tally(since time.Time, route string, actions map[string]uint64) alert.Event {
	return alert.Event{
		Type: alert.TypeTally, Mode: "redact", Since: since, Answers: []alert.Answers{{Route: route, Actions: actions}},
		Fates: map[string]int64{"scanned": 1000, "passed": 0, "refused": 0}, Index: alert.Index{BuildID: "fc1ebf19", Generation: 1},
	}
}

func TestOverview(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one := newLife(t, dir, "a", 1)
	at := func(hour, minute int) time.Time {
		return noon.Add(-24*time.Hour + time.Duration(hour*60+minute)*time.Minute)
	}
	one.put(at(0, 1), alert.Event{Type: alert.TypeStart, Mode: "redact"})
	one.put(at(0, 10), finding(alert.Redacted, "r1", 1))
	one.put(at(0, 11), finding(alert.Observed, "r2", 1))
	one.put(at(0, 12), finding(alert.Echo, "r3", 1))
	one.put(at(0, 20), tally(at(0, 1), "/v1/chat/completions", map[string]uint64{"clean": 90, "redacted": 1, "observed": 1, "refused": 3}))
	one.put(at(1, 0), alert.Event{Type: alert.TypeStop})
	two := newLife(t, dir, "a", 2) // nothing ran for two hours
	two.put(at(3, 0), alert.Event{Type: alert.TypeStart, Mode: "redact"})
	two.put(at(23, 59), tally(at(23, 0), "/v1/chat/completions", map[string]uint64{"clean": 8}))
	b := newBed(t, dir, nil).look()
	got := get[overviewView](b, "overview")
	if *got.Answers != 100 || got.Found != 2 || got.Withheld != 1 || got.Passed != 1 || got.Findings != 3 || got.Echo != 1 || got.Records != 1 {
		t.Errorf("%+v", got)
	}
	if got.NoData != 2*3600+60 || len(got.Hours) != 24 {
		t.Errorf("%d seconds without data in %d hours", got.NoData, len(got.Hours))
	}
	for i, want := range map[int]string{0: "part", 1: "none", 2: "none", 3: "data", 10: "data"} {
		if h := got.Hours[i]; h.State != want || (h.Redacted == nil) != (want == "none") {
			t.Errorf("hour %d: %+v, want %s", i, h, want)
		}
	}
	if h := got.Hours[0]; *h.Redacted != 1 || *h.Passed != 1 || *h.Answers != 92 {
		t.Errorf("%+v", h)
	}
	if len(got.Todo) != 1 || got.Todo[0].Kind != "passes" || got.Todo[0].Count != 1 {
		t.Errorf("%+v", got.Todo)
	}
}

// TestOverviewWithoutTally: a tally speaks for its own time only. Answers of a process that was
// killed, of the minute that runs, and of a boot without a tally are counted by their findings.
func TestOverviewWithoutTally(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const route = "/v1/chat/completions"
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	one := newLife(t, dir, "a", 1)
	one.put(at(-200), alert.Event{Type: alert.TypeStart, Mode: "observe"})
	one.put(at(-199), finding(alert.Redacted, "r1", 1))
	one.put(at(-198), tally(at(-200), route, map[string]uint64{"clean": 9, "redacted": 1}))
	one.put(at(-197), finding(alert.Redacted, "r2", 1)) // the tally of this minute is lost
	one.put(at(-195), tally(at(-196), route, map[string]uint64{"clean": 5}))
	one.put(at(-50), finding(alert.Observed, "r3", 1))
	one.put(at(-50), finding(alert.Observed, "r3", 2)) // the same answer
	one.put(at(-49), finding(alert.Observed, "r4", 1)) // killed
	two := newLife(t, dir, "b", 2)                     // has no tally yet
	two.put(at(-48), finding(alert.Blocked, "r3", 1))
	two.put(at(-48), finding(alert.Echo, "r5", 1))
	b := newBed(t, dir, nil).look()
	got := get[overviewView](b, "overview")
	if *got.Answers != 19 || !got.AtLeast || got.CountedBy != "tally and rows" || got.Found != 5 || got.Withheld != 3 || got.Passed != 2 {
		t.Errorf("%d answers, %+v", *got.Answers, got)
	}
	if len(got.Routes) != 1 || got.Routes[0].Answers != 2 || len(got.Todo) == 0 || got.Todo[0].Kind != "passes" || got.Todo[0].Count != 2 {
		t.Errorf("%+v %+v", got.Routes, got.Todo)
	}
	if h := got.Hours[len(got.Hours)-4]; *h.Redacted != 2 || *h.Answers != 16 {
		t.Errorf("the hour of the tallies: %d redacted of %d", *h.Redacted, *h.Answers)
	}
	if h := got.Hours[len(got.Hours)-1]; *h.Passed != 2 || *h.Blocked != 1 || h.Answers != nil {
		t.Errorf("the hour without a tally: %+v", h)
	}
	type coverage struct{ Routes []routeView }
	if v := get[coverage](b, "coverage").Routes; len(v) != 1 || v[0].Answers != 19 || v[0].WithFindings != 5 || v[0].Passed != 2 || v[0].State != "observes" {
		t.Errorf("%+v", v)
	}
	two.put(at(-47), tally(at(-49), route, map[string]uint64{"blocked": 1, "clean": 1}))
	got = get[overviewView](b.look(), "overview")
	if *got.Answers != 20 || got.Found != 5 || got.Withheld != 3 || got.Passed != 2 {
		t.Errorf("after the tally: %d answers, %+v", *got.Answers, got)
	}
}

// findingsView is a page of findings as a browser reads it.
type findingsView struct {
	Rows  []rowView
	Next  string
	Total int
	Live  string
	Known known
}

// TestPaging: pages that follow each other have every row once and newest first, although new
// rows come between them and two instances write.
func TestPaging(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lives := []*life{newLife(t, dir, "a", 1), newLife(t, dir, "b", 2)}
	for i := range 60 {
		for _, l := range lives {
			l.put(noon.Add(time.Duration(i-100)*time.Minute), finding(alert.Redacted, fmt.Sprint("r", i), 1))
		}
	}
	b := newBed(t, dir, nil).look()
	seen, last, cursor := map[string]bool{}, noon, ""
	for pages := 0; ; pages++ {
		page := get[findingsView](b, "findings?limit=50&cursor="+cursor)
		for _, r := range page.Rows {
			if seen[r.Key] || r.Time.After(last) {
				t.Errorf("page %d: %s at %s", pages, r.Key, r.Time)
			}
			seen[r.Key], last = true, r.Time
		}
		if cursor = page.Next; cursor == "" {
			break
		}
		lives[0].put(noon.Add(time.Duration(pages-60)*time.Minute), finding(alert.Redacted, "new", 1))
		b.look()
	}
	if len(seen) != 120 {
		t.Errorf("%d rows", len(seen))
	}
	if page := get[findingsView](b, "findings?action=blocked"); len(page.Rows) != 0 || page.Total != 0 {
		t.Errorf("%+v", page)
	}
	if page := get[findingsView](b, "findings?q=TICKETS/1&record=tickets/18&label=pii&caller=p:00112233aabbccdd&route=/v1/&model=sup*&lane=plain&severity=medium"); page.Total != 122 {
		t.Errorf("%d rows", page.Total)
	}
}

// TestRefusals: a wrong host, a page of another site, a wrong token and a missing role.
func TestRefusals(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	local := newBed(t, t.TempDir(), nil).look()
	away := newBed(t, t.TempDir(), func(o *Options) { o.Access = Access{Token: []byte(token)} }).look()
	shut := newBed(t, t.TempDir(), func(o *Options) { o.Access = Access{} }).look()
	for _, tt := range []struct {
		b            *bed
		method, path string
		header       []string
		want         int
	}{
		{local, "GET", "overview", nil, 200},
		{local, "GET", "overview", []string{"Host", "localhost:8712"}, 200},
		{local, "GET", "overview", []string{"Host", "evil.example:8712"}, 403},
		{local, "GET", "evidence.zip?from=2026-11-01&to=2026-11-02", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{local, "POST", "whatif", []string{"Origin", "https://evil.example"}, 403},
		{local, "POST", "whatif", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{away, "GET", "overview", nil, 401},
		{away, "GET", "overview?token=" + token, nil, 401},
		{away, "GET", "overview", []string{"Authorization", "Bearer " + token}, 401},
		{away, "GET", "overview", []string{"Cookie", cookieName + "=" + token}, 401},
		{away, "GET", "overview", []string{"X-Forwarded-User", "ann"}, 401},
		{away, "GET", "session", nil, 200},
		{shut, "GET", "overview", nil, 401},
		{local, "GET", "nothing", nil, 404},
		{local, "PUT", "overview", nil, 405},
	} {
		if status, body := tt.b.ask(tt.method, api+tt.path, "", tt.header...); status != tt.want {
			t.Errorf("%s %s %q: %d %s, want %d", tt.method, tt.path, tt.header, status, body, tt.want)
		}
	}
	if status, _ := shut.ask("POST", api+"login", `{"token":""}`); status != 401 {
		t.Errorf("an empty token signs in: %d", status)
	}
}

// TestSession: the token makes a cookie that ends after 12 hours or when the person leaves, and
// only ten attempts a minute are compared.
func TestSession(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	b := newBed(t, t.TempDir(), func(o *Options) { o.Access = Access{Token: []byte(token)} }).look()
	signIn := func(token string) (int, string) {
		r := httptest.NewRequest("POST", "http://console.example"+api+"login", strings.NewReader(`{"token":"`+token+`"}`))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		return w.Code, w.Header().Get("Set-Cookie")
	}
	status, set := signIn(token)
	if status != 204 || !strings.Contains(set, "; Path=/console/; Max-Age=43200; HttpOnly; SameSite=Strict") || strings.Contains(set, token) {
		t.Fatal(status, set)
	}
	cookie, _, _ := strings.Cut(set, ";")
	see := func() int {
		status, _ := b.ask("GET", api+"overview", "", "Cookie", cookie)
		return status
	}
	if got := see(); got != 200 {
		t.Errorf("with the cookie: %d", got)
	}
	b.now = b.now.Add(sessionTime)
	if got := see(); got != 401 {
		t.Errorf("after 12 hours: %d", got)
	}
	_, set = signIn(token)
	cookie, _, _ = strings.Cut(set, ";")
	if status, _ := b.ask("POST", api+"logout", "{}", "Cookie", cookie); status != 204 || see() != 401 {
		t.Errorf("signed out: %d, then %d", status, see())
	}
	for i := range wrongTokens {
		if status, _ := signIn("fedcba9876543210"); status != 401 && i < wrongTokens-1 {
			t.Errorf("attempt %d: %d", i, status)
		}
	}
	if status, _ := signIn(token); status != 429 {
		t.Errorf("after many attempts: %d", status)
	}
}

// stream reads the events of the live tail.
type stream struct {
	t      *testing.T
	lines  *bufio.Scanner
	id     string
	cancel context.CancelFunc
}

// follow opens the live tail.
func follow(t *testing.T, b *bed, after string) *stream {
	t.Helper()
	srv := httptest.NewServer(b)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	r, _ := http.NewRequestWithContext(ctx, "GET", srv.URL+api+"live", nil)
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	s := &stream{t: t, lines: bufio.NewScanner(resp.Body), cancel: func() { cancel(); _ = resp.Body.Close(); srv.Close() }}
	s.lines.Buffer(nil, 1<<20)
	t.Cleanup(s.cancel)
	return s
}

// next returns the key of the next row, or the name of another event than "at".
func (s *stream) next() string {
	s.t.Helper()
	event, data := "", ""
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch name {
		case "id":
			s.id = value
		case "event":
			event = value
		case "data":
			data = value
		case "":
			var row rowView
			if event == "row" && json.Unmarshal([]byte(data), &row) == nil {
				return row.Key
			}
			if event != "at" {
				return event
			}
		}
	}
	s.t.Fatal("the stream has ended: ", s.lines.Err())
	return ""
}

// TestLive: over a restart of noecho, of the console, and a rotation with packing, every row
// comes once.
func TestLive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := newLife(t, dir, "a", 1)
	b := newBed(t, dir, nil).look()
	first := get[findingsView](b, "findings")
	s := follow(t, b, first.Live)
	want := func(s *stream, key string) {
		t.Helper()
		if got := s.next(); got != key {
			t.Errorf("row %s, want %s", got, key)
		}
	}
	one := l.put(noon.Add(-9*time.Minute), finding(alert.Redacted, "r1", 1))
	two := l.put(noon.Add(-8*time.Minute), finding(alert.Redacted, "r2", 1))
	b.look()
	want(s, one)
	place := s.id
	want(s, two)
	s.cancel()

	// The file is rotated and packed, noecho and the console start again.
	if err := os.Rename(l.path, l.path+".1"); err != nil {
		t.Fatal(err)
	}
	pack(t, l.path+".1")
	l2 := newLife(t, dir, "a", 2)
	l2.put(noon.Add(-7*time.Minute), alert.Event{Type: alert.TypeStart})
	three := l2.put(noon.Add(-6*time.Minute), finding(alert.Redacted, "r3", 1))
	b = newBed(t, dir, nil).look()
	s = follow(t, b, place)
	want(s, two)
	want(s, three)
	four := l2.put(noon.Add(-5*time.Minute), finding(alert.Redacted, "r4", 1))
	b.look()
	want(s, four)
	s.cancel()
	if got := follow(t, b, ulid(9)+":1").next(); got != "reset" {
		t.Errorf("an unknown place: %s", got)
	}
}

// pack compresses a file.
func pack(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".gz", out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// TestLineBack: the whole line of a row is read back from its file, also when that was renamed
// and packed, and is said to be gone when it was deleted.
func TestLineBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := newLife(t, dir, "a", 1)
	l.put(noon.Add(-9*time.Minute), finding(alert.Redacted, "r1", 1))
	l.put(noon.Add(-8*time.Minute), finding(alert.Blocked, "r2", 2))
	b := newBed(t, dir, nil).look()
	type view struct {
		Row  rowView
		Line *alert.Event
		Gone bool
	}
	path := "findings/" + l.boot + "/2"
	check := func(gone bool) {
		t.Helper()
		got := get[view](b, path)
		if got.Gone != gone || got.Row.RequestID != "r2" || !gone && (got.Line == nil || got.Line.RequestID != "r2" || got.Line.Seq != 2) {
			t.Errorf("%+v", got)
		}
	}
	check(false)
	if err := os.Rename(l.path, l.path+".1"); err != nil {
		t.Fatal(err)
	}
	pack(t, l.path+".1")
	b.look()
	check(false)
	if n := get[findingsView](b, "findings").Total; n != 2 {
		t.Errorf("%d rows", n)
	}
	if err := os.Remove(l.path + ".1.gz"); err != nil {
		t.Fatal(err)
	}
	check(true)
	b.look()
	check(true)
}

// TestBounds: the store keeps its number of rows and drops old ones, says so, and the texts of
// the rows that are left stay the same when unused texts are dropped.
func TestBounds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := newLife(t, dir, "a", 1)
	l.put(noon.Add(-100*24*time.Hour), finding(alert.Redacted, "older", 1))
	l.put(noon.Add(-40*24*time.Hour), finding(alert.Redacted, "old", 1))
	l.put(noon.Add(-40*24*time.Hour), tally(noon.Add(-40*24*time.Hour), "/v1/", map[string]uint64{"redacted": 7}))
	for i := range 30 {
		ev := finding(alert.Redacted, fmt.Sprint("r", i), alert.Digest(i))
		ev.Model = fmt.Sprint("model-", i)
		l.put(noon.Add(time.Duration(i-60)*time.Minute), ev)
	}
	b := newBed(t, dir, nil)
	b.store.limit = 10
	b.look()
	page := get[findingsView](b, "findings?since=89d")
	if page.Total != 10 || page.Known.Rows != 10 || page.Known.Forgotten != 21 || page.Rows[9].RequestID != "r20" {
		t.Errorf("%+v", page)
	}
	if got := get[overviewView](b, "overview?since=50d"); got.Withheld != 17 { // 7 of the tally, and 10 rows that none covers
		t.Errorf("sums: %+v", got)
	}
	b.store.mu.Lock()
	b.store.compact()
	b.store.mu.Unlock()
	again := get[findingsView](b, "findings?since=89d")
	for i := range again.Rows {
		if fmt.Sprint(again.Rows[i]) != fmt.Sprint(page.Rows[i]) {
			t.Errorf("%+v, was %+v", again.Rows[i], page.Rows[i])
		}
	}
	if page := get[findingsView](b, "findings?model=model-29"); page.Total != 1 {
		t.Errorf("%d rows", page.Total)
	}
}

// TestStatic: the page and its files have the headers that keep it from loading anything else.
func TestStatic(t *testing.T) {
	t.Parallel()
	b := newBed(t, t.TempDir(), nil)
	for _, path := range []string{"/console/", "/console/findings"} {
		w := httptest.NewRecorder()
		b.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1"+path, nil))
		body, _ := io.ReadAll(w.Body)
		h := w.Header()
		if w.Code != 200 || !bytes.Contains(body, []byte("<!doctype html>")) || h.Get("Content-Security-Policy") != policyHeader ||
			h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", path, w.Code, h)
		}
	}
	for _, path := range []string{"/console/../go.mod", "/console/assets/index.html", "/console/x.js"} {
		if status, _ := b.ask("GET", path, ""); status == 200 {
			t.Errorf("%s is there", path)
		}
	}
}

// TestLongLine: a line of megabytes, as in a file that is no alert file, takes no more memory
// than a piece of it, is read once, and the alert behind it is found.
func TestLongLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := newLife(t, dir, "a", 1)
	l.put(noon.Add(-9*time.Minute), finding(alert.Redacted, "r1", 1))
	if err := appendText(l.path, strings.Repeat("x", 5<<20)); err != nil {
		t.Fatal(err)
	}
	b := newBed(t, dir, nil).look()
	if read := b.reader.sources[0].read; read < 4<<20 {
		t.Errorf("%d bytes read", read)
	}
	if err := appendText(l.path, "\n"); err != nil {
		t.Fatal(err)
	}
	l.put(noon.Add(-8*time.Minute), finding(alert.Redacted, "r2", 1))
	if page := get[findingsView](b.look(), "findings"); page.Total != 2 || page.Known.Other == 0 {
		t.Errorf("%+v", page)
	}
}

func appendText(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	return err
}
