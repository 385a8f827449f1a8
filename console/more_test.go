package console

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"noecho/internal/ignore"
	"noecho/proxy/alert"
	"noecho/proxy/config"
)

// TestWhatIf: a draft decides about stored findings as the rules do, counts answers, and says
// which results are not certain.
func TestWhatIf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := newLife(t, dir, "a", 1)
	put := func(n int, ev alert.Event) { l.put(noon.Add(time.Duration(n-100)*time.Minute), ev) }
	put(0, finding(alert.Redacted, "r1", 1))
	put(1, finding(alert.Redacted, "r1", 2)) // the same answer
	person := finding(alert.Redacted, "r2", 3)
	person.Kind, person.Identifier, person.Words = alert.Phrase, "email", 1
	put(2, person)
	team := finding(alert.Observed, "r3", 1)
	team.Route, team.Mode = "/team-b/", "observe"
	put(3, team)
	put(4, finding(alert.Blocked, "r4", 1))
	put(5, finding(alert.Echo, "r5", 1))
	restricted := finding(alert.Redacted, "r6", 9)
	restricted.Records = []alert.Record{{ID: "c/1", Dataset: "contracts", Labels: []string{"restricted"}}}
	put(6, restricted)
	budget := finding(alert.Blocked, "r7", 1)
	budget.Rule = "budget"
	put(7, budget)
	cut := finding(alert.Redacted, "r8", 1)
	cut.RecordCount = 16
	put(8, cut)
	put(9, tally(noon.Add(-2*time.Hour), "/v1/chat/completions", map[string]uint64{"clean": 100, "redacted": 5}))
	cfg := config.Default()
	b := newBed(t, dir, func(o *Options) { o.Config = func() *config.Config { return &cfg } }).look()
	try := func(body string) (v whatIfView) {
		t.Helper()
		status, answer := b.ask("POST", api+"whatif", body)
		if err := json.Unmarshal([]byte(answer), &v); status != 200 || err != nil {
			t.Fatalf("%s: %d %s", body, status, answer)
		}
		return v
	}
	for _, tt := range []struct {
		body    string
		changed int
		changes string
		atLeast bool
	}{
		// Without a draft the restricted record is blocked, and a block that a rule now lacks is a mask.
		{`{"rules":[{"when":{"route":["/nowhere/"]},"action":"observe"}]}`, 2, "redacted>blocked=1 blocked>redacted=1", true},
		{`{"rules":[{"when":{"kind":["phrase"]},"action":"block"}]}`, 3, "redacted>blocked=2 blocked>redacted=1", true},
		{`{"yaml":"rules:\n  - when: {identifier: [email]}\n    action: observe\n"}`, 3, "redacted>observed=1 redacted>blocked=1 blocked>redacted=1", true},
		{`{"rules":[{"when":{"route":["/team-b/"]},"action":"redact"}]}`, 3, "observed>redacted=1 redacted>blocked=1 blocked>redacted=1", true},
		{`{"rules":[{"when":{"label":["pii"],"min_words":12},"action":"block"}]}`, 4, "observed>blocked=1 redacted>blocked=3", true},
		{`{"rules":[{"action":"observe"}]}`, 5, "redacted>observed=4 blocked>observed=1", true},
	} {
		v := try(tt.body)
		var got []string
		for _, c := range v.Changes {
			got = append(got, fmt.Sprintf("%s>%s=%d", c.From, c.To, c.Answers))
		}
		if v.Changed != tt.changed || strings.Join(got, " ") != tt.changes || v.AtLeast != tt.atLeast || v.WithFindings != 7 {
			t.Errorf("%s: %d of %d changed, %v, at least: %v", tt.body, v.Changed, v.WithFindings, got, v.AtLeast)
		}
	}
	v := try(`{"rules":[{"when":{"route":["/v1/"]},"action":"block"}]}`)
	if *v.Answers != 105 || v.YAML != "rules:\n  - when: {route: [/v1/]}\n    action: block\n" {
		t.Errorf("%+v", v)
	}
	for _, bad := range []string{`{"yaml":"mode: observe"}`, `{"rules":[{"when":{"kind":["guess"]},"action":"block"}]}`, `{"rules":[{"action":"x: y"}]}`, `[`} {
		if status, answer := b.ask("POST", api+"whatif", bad); status != 400 {
			t.Errorf("%s: %d %s", bad, status, answer)
		}
	}
}

// TestTuning: texts are counted over callers and records, and those that are ticked become the
// lines that the configuration and a build take.
func TestTuning(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := newLife(t, dir, "a", 1)
	for i := range 30 {
		greeting := finding(alert.Redacted, fmt.Sprint("g", i), 1, 2, 3)
		greeting.Principal, greeting.RecordCount = fmt.Sprintf("%016x", i%5), 16
		l.put(noon.Add(time.Duration(i-100)*time.Minute), greeting)
	}
	l.put(noon.Add(-9*time.Minute), finding(alert.Redacted, "leak", 7, 8))
	person := finding(alert.Redacted, "p", 9)
	person.Kind, person.Identifier = alert.Phrase, "email"
	l.put(noon.Add(-8*time.Minute), person)
	b := newBed(t, dir, nil).look()
	got := get[struct {
		Total int
		Rows  []textRow
	}](b, "tuning")
	if got.Total != 3 || got.Rows[0].Looks != "boilerplate" || got.Rows[0].Callers != 5 || got.Rows[0].Findings != 30 || got.Rows[0].Windows != 3 || got.Rows[0].Digest != "0000000000000001" {
		t.Fatalf("%+v", got)
	}
	byLooks := map[string]textRow{}
	for _, r := range got.Rows {
		byLooks[r.Looks+fmt.Sprint(r.Allowed)] = r
	}
	leak, identifier := byLooks["leaktrue"], byLooks["leakfalse"]
	if leak.Text == "" || identifier.Text == "" {
		t.Fatalf("%+v", got.Rows)
	}
	status, lines := b.ask("POST", api+"tuning/file", `{"texts":["`+got.Rows[0].Text+`","`+leak.Text+`"],"reason":"greeting","until":"2027-06-30","by":"ann"}`)
	var list ignore.List
	if err := list.Read("answer", strings.NewReader(lines)); status != 200 || err != nil || list.Len() != 5 || !list.Has(3, noon) || !list.Has(8, noon) {
		t.Errorf("%d %v %s", status, err, lines)
	}
	if !strings.HasPrefix(lines, `{"digest":"0000000000000001","reason":"greeting","until":"2027-06-30","by":"ann"}`) {
		t.Error(lines)
	}
	for _, bad := range []string{
		`{"texts":["` + identifier.Text + `"],"reason":"x"}`, `{"texts":["` + leak.Text + `"]}`, `{"texts":[],"reason":"x"}`,
		`{"texts":["ffff"],"reason":"x"}`, `{"texts":["` + leak.Text + `"],"reason":"x","until":"soon"}`,
	} {
		if status, answer := b.ask("POST", api+"tuning/file", bad); status != 400 {
			t.Errorf("%s: %d %s", bad, status, answer)
		}
	}
	if todo := get[overviewView](b, "overview").Todo; len(todo) != 1 || todo[0].Kind != "boilerplate" {
		t.Errorf("%+v", todo)
	}
	if len(b.access) != 1 || b.access[0].Action != alert.Exported {
		t.Errorf("%+v", b.access)
	}
}

// TestEvidence: the ZIP of a period is the same for the same lines, wherever the files lie,
// whatever their names and whether they are packed, and its sums are right.
func TestEvidence(t *testing.T) {
	t.Parallel()
	make := func(dir string, after func(l *life)) []byte {
		l := newLife(t, dir, "a", 1)
		l.put(noon.Add(-48*time.Hour), alert.Event{Type: alert.TypeStart, Mode: "redact", Build: "v1", Index: alert.Index{BuildID: "i1"}})
		evil := finding(alert.Redacted, "r1", 1)
		evil.Model, evil.User = "=1+1", "<img src=x onerror=alert(1)>"
		l.put(noon.Add(-47*time.Hour), evil)
		l.seq += 2 // two lines are missing
		l.put(noon.Add(-46*time.Hour), finding(alert.Blocked, "r2", 1))
		l.put(noon.Add(-45*time.Hour), tally(noon.Add(-48*time.Hour), "/v1/", map[string]uint64{"clean": 5, "redacted": 1, "blocked": 1}))
		after(l)
		l2 := newLife(t, dir, "b", 2)
		person := finding(alert.Observed, "r3", 5)
		person.Records = append(person.Records, alert.Record{ID: "subject-0417", Dataset: subjects, Labels: []string{}})
		l2.put(noon.Add(-44*time.Hour), person)
		b := newBed(t, dir, nil).look()
		status, answer := b.ask("GET", api+"evidence.zip?from=2026-11-27&to=2026-11-28", "")
		if status != 200 || len(b.access) != 1 {
			t.Fatal(status, answer)
		}
		status, about := b.ask("GET", api+"evidence/summary?from=2026-11-27&to=2026-11-28&about=person&id=subject-0417", "")
		if status != 200 || !strings.Contains(about, `"findings":1,`) || !strings.Contains(about, `"passed":1,`) {
			t.Error(about)
		}
		return []byte(answer)
	}
	one := make(t.TempDir(), func(*life) {})
	two := make(t.TempDir(), func(l *life) {
		if err := os.Rename(l.path, l.path+".1"); err != nil {
			t.Fatal(err)
		}
		pack(t, l.path+".1")
	})
	three := make(filepath.Join(t.TempDir()), func(l *life) { // a copy beside the file
		data, err := os.ReadFile(l.path)
		if err == nil {
			err = os.WriteFile(filepath.Join(filepath.Dir(l.path), "copy.jsonl"), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	if !bytes.Equal(one, two) || !bytes.Equal(one, three) {
		t.Fatal("the ZIPs of the same lines differ")
	}
	files := unzip(t, one)
	for _, sum := range strings.Split(strings.TrimSpace(files["SHA256SUMS"]), "\n") {
		want, name, _ := strings.Cut(sum, "  ")
		if got := fmt.Sprintf("%x", sha256.Sum256([]byte(files[name]))); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	page := files["summary.html"]
	for _, want := range []string{"at least 8<", "3: 2 withheld, 1 passed", "Alert lines missing</th><td>2<"} { // 7 of the tally, and one without
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing in %s", want, page)
		}
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "<img") || strings.Contains(files["findings.csv"], ",=1+1") {
		t.Error("a text of a caller became code")
	}
	if n := strings.Count(files["findings.jsonl"], "\n"); n != 3 {
		t.Errorf("%d findings", n)
	}
	if !strings.Contains(files["config-history.txt"], "a start mode=redact version=v1 index=i1") || !strings.Contains(files["gaps.json"], `"first": 3`) {
		t.Error(files["config-history.txt"], files["gaps.json"])
	}
}

// TestEvidencePeriod: a period that cannot be is refused, and one of many years is not.
func TestEvidencePeriod(t *testing.T) {
	t.Parallel()
	b := newBed(t, t.TempDir(), nil).look()
	for period, want := range map[string]int{
		"from=0001-01-01&to=9999-12-31": 400, "from=2026-01-01&to=9999-12-31": 400, "from=0001-01-01&to=2026-01-01": 400,
		"from=1969-12-31&to=2026-01-01": 400, "from=2026-01-02&to=2026-01-01": 400, "from=2026-02-30&to=2026-03-01": 400,
		"from=2026-01-01&to=2262-01-01": 400, "from=1970-01-01&to=2261-12-31": 200,
	} {
		for _, name := range []string{"evidence/summary?", "evidence.zip?"} {
			if status, body := b.ask("GET", api+name+period, ""); status != want || body == "" {
				t.Errorf("%s%s: %d %s, want %d", name, period, status, body, want)
			}
		}
	}
}

// TestReplyWithoutJSON: a value that has no JSON is an error that the browser sees.
func TestReplyWithoutJSON(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	reply(w, map[string]time.Time{"to": time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)})
	var got map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 500 || !strings.Contains(got["error"], "cannot be written as JSON") {
		t.Errorf("%d %v %s", w.Code, err, w.Body)
	}
}

// TestEvidenceWithoutTally: answers that no tally of the period counts are counted by their findings,
// also those of a tally that begins before the period.
func TestEvidenceWithoutTally(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	day := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	at := func(minutes int) time.Time { return day.Add(time.Duration(minutes) * time.Minute) }
	const route = "/v1/chat/completions"
	l := newLife(t, dir, "a", 1)
	l.put(at(-60), alert.Event{Type: alert.TypeStart, Mode: "redact"})
	l.put(at(-1), finding(alert.Redacted, "r0", 1))
	l.put(at(1), finding(alert.Redacted, "r1", 1))
	l.put(at(2), tally(at(-2), route, map[string]uint64{"redacted": 2}))
	l.put(at(3), finding(alert.Blocked, "r2", 1))
	l.put(at(4), tally(at(2), route, map[string]uint64{"blocked": 1, "clean": 3}))
	summary := func(query string) account { return get[account](newBed(t, dir, nil).look(), "evidence/summary?"+query) }
	const period = "from=2026-11-20&to=2026-11-20"
	check := func(query string, answers, withheld, passed uint64, atLeast bool) {
		t.Helper()
		if got := summary(query); *got.Answers != answers || got.Withheld != withheld || got.Passed != passed || got.AtLeast != atLeast {
			t.Errorf("%s: %d answers, %+v", query, *got.Answers, got)
		}
	}
	check(period, 5, 2, 0, true)
	l.put(at(10), finding(alert.Redacted, "r3", 1))
	l.put(at(11), finding(alert.Observed, "r4", 1)) // killed
	check(period, 7, 3, 1, true)
	check(period+"&about=dataset&id=tickets", 7, 3, 1, true)
	check(period+"&about=dataset&id=none", 7, 0, 0, true)
	if got := summary("from=2026-11-19&to=2026-11-19"); got.Answers != nil || got.AtLeast || got.Found != 1 {
		t.Errorf("%+v", got)
	}
	day = day.AddDate(0, 0, 2) // a process of which all is known
	whole := newLife(t, dir, "b", 2)
	whole.put(at(1), alert.Event{Type: alert.TypeStart, Mode: "redact"})
	whole.put(at(2), finding(alert.Redacted, "r1", 1))
	whole.put(at(3), tally(at(1), route, map[string]uint64{"redacted": 1}))
	whole.put(at(3), alert.Event{Type: alert.TypeStop})
	check("from=2026-11-22&to=2026-11-22", 1, 1, 0, false)
}

// TestEvidenceOfThePast: the ZIP of a period that is over stays the same whatever is appended
// later, and tells nothing of other times.
func TestEvidenceOfThePast(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	day := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	at := func(hours float64) time.Time { return day.Add(time.Duration(hours * float64(time.Hour))) }
	use := func(ev alert.Event, index string) alert.Event {
		ev.Index = alert.Index{BuildID: index, Generation: 1}
		return ev
	}
	other := func(l *life, n int) {
		if err := appendText(l.path, strings.Repeat("no alert\n", n)); err != nil {
			t.Fatal(err)
		}
	}
	l := newLife(t, dir, "a", 1)
	l.put(at(-30), use(alert.Event{Type: alert.TypeStart, Mode: "redact", Build: "v1"}, "i0"))
	l.seq += 5
	l.put(at(-20), use(alert.Event{Type: alert.TypeReload, Mode: "redact", Action: alert.Applied}, "i1"))
	l.put(at(-19), alert.Event{Type: alert.TypeGap, Lost: 1})
	other(l, 1)
	l.put(at(-18), use(finding(alert.Redacted, "r0", 1), "i1"))
	l.seq++ // a line is missing, and the next one is of the period
	other(l, 2)
	l.put(at(1), use(finding(alert.Observed, "r1", 1), "i1"))
	l.seq += 2
	l.put(at(2), use(tally(at(-0.5), "/v1/", map[string]uint64{"observed": 1}), "i1")) // it begins before the period
	l.put(at(23.5), use(finding(alert.Redacted, "r2", 1), "i1"))
	export := func() string {
		b := newBed(t, dir, nil).look()
		status, answer := b.ask("GET", api+"evidence.zip?from=2026-11-20&to=2026-11-20", "")
		if status != 200 {
			t.Fatal(status, answer)
		}
		return answer
	}
	first := export()
	files := unzip(t, []byte(first))
	page := files["summary.html"]
	for _, want := range []string{
		"Alert lines missing</th><td>3<", "reported as lost</th><td>0<", "no alerts</th><td>2<", "running</th><td>84600 of 86400 seconds<",
		"Index</th><td>i1, a, 2026-11-20T00:00:00Z to 2026-11-20T23:30:00Z<",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing in %s", want, page)
		}
	}
	if strings.Contains(files["index-history.json"], "i0") {
		t.Error(files["index-history.json"])
	}
	for i, later := range []func(){
		func() { other(l, 3) },
		func() { l.put(at(24), use(tally(at(23), "/v1/", map[string]uint64{"redacted": 1}), "i1")) },
		func() { l.seq += 3; l.put(at(25), alert.Event{Type: alert.TypeGap, Lost: 2}) },
		func() { l.seq += 4; other(l, 1); l.put(at(26), use(finding(alert.Blocked, "r2", 1), "i2")) },
		func() { l.put(at(27), alert.Event{Type: alert.TypeReload, Mode: "block", Action: alert.Applied}) },
		func() {
			l.put(at(28), alert.Event{Type: alert.TypeAccess, Action: alert.Exported})
			l.put(at(29), alert.Event{Type: alert.TypeStop})
		},
		func() { newLife(t, dir, alert.TestInstance, 3).put(at(30), finding(alert.Redacted, "r4", 1)) },
		func() { newLife(t, dir, "b", 0).put(at(30), alert.Event{Type: alert.TypeStart}) },
		func() {
			if err := os.Rename(l.path, l.path+".1"); err != nil {
				t.Fatal(err)
			}
			pack(t, l.path+".1")
		},
	} {
		later()
		if again := export(); again != first {
			t.Fatalf("after change %d: %s\n%s", i, unzip(t, []byte(again))["summary.html"], page)
		}
	}
}

// unzip returns the files of a ZIP.
func unzip(t *testing.T, data []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(text)
	}
	return files
}

// TestLookup: the text that a person types comes back in no answer and in no line, the line
// about the look-up is written, and only so many look-ups a minute are made.
func TestLookup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := newLife(t, dir, "a", 1)
	known := finding(alert.Redacted, "r1", 42)
	known.Kind, known.Identifier = alert.Phrase, "email"
	l.put(noon.Add(-9*time.Minute), known)
	const canary = "maren.holtkamp@example.com"
	asked := ""
	b := newBed(t, dir, func(o *Options) {
		o.Look = func(text string) (Looked, error) {
			asked = text
			if !strings.Contains(text, "maren") {
				return Looked{LeastWords: 10, Words: 1}, nil
			}
			return Looked{LeastWords: 10, Words: 1, Indexes: []string{"fc1e"}, Findings: []alert.Event{known}}, nil
		}
	}).look()
	status, answer := b.ask("POST", api+"lookup", `{"text":"`+canary+`"}`)
	if status != 200 || asked != canary || !strings.Contains(answer, `"result":"found"`) || !strings.Contains(answer, `"came_out":{"answers":1,"withheld":1,"passed":0}`) {
		t.Errorf("%d %s", status, answer)
	}
	lines, _ := json.Marshal(b.access)
	if len(b.access) != 1 || b.access[0].Action != alert.LookedUp || b.access[0].Client != "127.0.0.1" {
		t.Errorf("%s", lines)
	}
	if strings.Contains(answer, "maren") || bytes.Contains(lines, []byte("maren")) {
		t.Error("the text came back")
	}
	if _, answer := b.ask("POST", api+"lookup", `{"text":"hello"}`); !strings.Contains(answer, `"result":"too_short"`) {
		t.Error(answer)
	}
	for range lookups {
		status, _ = b.ask("POST", api+"lookup", `{"text":"x@y.example"}`)
	}
	if status != http.StatusTooManyRequests {
		t.Errorf("after many look-ups: %d", status)
	}
	if status, _ := newBed(t, dir, nil).look().ask("POST", api+"lookup", `{"text":"x"}`); status != http.StatusConflict {
		t.Errorf("without an index: %d", status)
	}
	if status, _ := b.ask("POST", api+"lookup", `{"text":"`+strings.Repeat("a", maxLookup)+`"}`); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a long text: %d", status)
	}
}

// TestRoles: groups of a trusted proxy say what a person may do; headers of others say nothing.
func TestRoles(t *testing.T) {
	t.Parallel()
	b := newBed(t, t.TempDir(), func(o *Options) {
		o.Look = func(string) (Looked, error) { return Looked{}, nil }
		o.Access = Access{Local: true, Trusted: func() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }, Console: config.Console{
			UserHeader: "x-forwarded-user", GroupsHeader: "x-forwarded-groups", Hosts: []string{"console.example"},
			Viewers: []string{"staff"}, Analysts: []string{"sec"}, Privacy: []string{"dpo"},
		}}
	}).look()
	paths := []string{"GET overview", "GET findings.csv", "POST tuning/file", "POST whatif", "GET evidence/summary?from=2026-11-01&to=2026-11-02", "POST lookup"}
	for groups, want := range map[string][]int{
		"":               {403, 403, 403, 403, 403, 403},
		"other":          {403, 403, 403, 403, 403, 403},
		"staff":          {200, 403, 403, 403, 403, 403},
		"other, sec":     {200, 200, 400, 400, 200, 403},
		"dpo,staff":      {200, 200, 400, 400, 200, 400},
		"staff,sec, dpo": {200, 200, 400, 400, 200, 400},
	} {
		for i, path := range paths {
			method, path, _ := strings.Cut(path, " ")
			body := ""
			if method == "POST" {
				body = "{}"
			}
			status, answer := b.ask(method, api+path, body, "Host", "console.example", "X-Forwarded-User", "ann", "X-Forwarded-Groups", groups)
			if status != want[i] && (want[i] != 400 || status != 200) {
				t.Errorf("%q %s: %d %s, want %d", groups, path, status, answer, want[i])
			}
			if want[0] == 403 && !strings.Contains(answer, "none of your groups has a role") {
				t.Errorf("%q %s: %s", groups, path, answer)
			}
		}
	}
	for _, header := range [][]string{
		{"Host", "console.example"}, // the proxy names nobody
		{"Host", "evil.example", "X-Forwarded-User", "ann", "X-Forwarded-Groups", "dpo"},
		{"X-Forwarded-Groups", "dpo"},
	} {
		if status, _ := b.ask("GET", api+"overview", "", header...); status == 200 {
			t.Errorf("%q is let in", header)
		}
	}
	r := httptest.NewRequest("GET", "http://console.example"+api+"overview", nil)
	r.RemoteAddr = "203.0.113.9:1"
	r.Header.Set("X-Forwarded-User", "ann")
	r.Header.Set("X-Forwarded-Groups", "dpo")
	w := httptest.NewRecorder()
	if b.ServeHTTP(w, r); w.Code != 401 {
		t.Errorf("headers of a stranger: %d", w.Code)
	}
	if who := slices.Collect(func(yield func(string) bool) {
		for _, ev := range b.access {
			if !yield(ev.User) {
				return
			}
		}
	}); !slices.Contains(who, "ann") {
		t.Errorf("lines about %v", who)
	}
}

// TestCoverage: routes by their endings, instances with their indexes, lost and missing lines.
func TestCoverage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := newLife(t, dir, "a", 1), newLife(t, dir, "b", 2)
	one.put(noon.Add(-60*time.Minute), alert.Event{Type: alert.TypeStart, Mode: "redact", Build: "v1", Index: alert.Index{BuildID: "aaaa1111", Generation: 1}})
	two.put(noon.Add(-60*time.Minute), alert.Event{Type: alert.TypeStart, Mode: "redact", Build: "v1", Index: alert.Index{BuildID: "bbbb2222", Generation: 1}})
	ev := tally(noon.Add(-50*time.Minute), "/v1/chat/completions", map[string]uint64{"clean": 5, "redacted": 2, "refused": 1})
	ev.Answers = append(ev.Answers, alert.Answers{Route: "/rpc", Actions: map[string]uint64{"forwarded": 9}}, alert.Answers{Route: "/v1/realtime", Actions: map[string]uint64{"refused": 7}})
	ev.Index = alert.Index{BuildID: "aaaa1111", Generation: 1}
	one.put(noon.Add(-2*time.Minute), ev)
	two.seq += 3
	two.put(noon.Add(-3*time.Minute), alert.Event{Type: alert.TypeGap, Lost: 2, Reason: "sink too slow"}) // events 4 and 5; 2 and 3 are missing
	b := newBed(t, dir, nil).look()
	got := get[struct {
		Routes    []routeView
		Instances []instanceView
		Differ    bool `json:"indexes_differ"`
		Gaps      []gapView
		Files     []fileView
	}](b, "coverage")
	states := map[string]string{}
	for _, r := range got.Routes {
		states[r.Route] = r.State
	}
	if fmt.Sprint(states) != "map[/rpc:not_scanned /v1/chat/completions:scanned /v1/realtime:refused]" {
		t.Error(states)
	}
	if len(got.Instances) != 2 || !got.Instances[0].Running || got.Instances[1].Lost != 2 || got.Instances[1].Missing != 2 || got.Instances[0].Missing != 0 || !got.Differ {
		t.Errorf("%+v", got.Instances)
	}
	if len(got.Gaps) != 3 || len(got.Files) != 2 || got.Files[0].Name != "a.jsonl" {
		t.Errorf("%+v %+v", got.Gaps, got.Files)
	}
}
