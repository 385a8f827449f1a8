package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"noecho/audit"
	"noecho/govern"
)

// Digests of models.
var (
	oldModel = strings.Repeat("0a", 32)
	newModel = strings.Repeat("0b", 32)
)

// purgeWorld is an inventoryWorld with a request, and the training files without its rows.
type purgeWorld struct {
	*inventoryWorld
	vkey, request string
	other         string   // request of somebody else, who is suppressed
	probe         []string // flags for a probe that finds nothing
}

// openPurgeWorld makes a world whose request is open.
func openPurgeWorld(t *testing.T) *purgeWorld {
	t.Helper()
	w := &purgeWorld{inventoryWorld: newInventoryWorld(t)}
	w.vkey = strings.TrimSpace(string(readFile(t, w.path("audit/log.vkey"))))
	w.run(exitOK, "index", "newkey", w.path("suppress.key"))
	w.run(exitOK, "audit", "append", w.path("audit"), "deploy", "--digest", "model="+oldModel)
	w.write("carl.json", `{"email":"carl@example.net"}`)
	w.other = w.open(w.path("carl.json"))
	w.suppress(w.other)
	w.request = w.open(w.path("query.json"))
	var kept strings.Builder
	for i, line := range strings.SplitAfter(string(readFile(t, w.path("rows.jsonl"))), "\n") {
		if !slices.Contains(w.rows, i+1) {
			kept.WriteString(line)
		}
	}
	w.write("kept.jsonl", kept.String())
	return w
}

// newPurgeWorld makes a world whose request was suppressed and excluded.
func newPurgeWorld(t *testing.T) *purgeWorld {
	t.Helper()
	w := openPurgeWorld(t)
	w.suppress(w.request)
	w.exclude(w.request)
	w.run(exitOK, w.build("next", "kept.jsonl")...)
	return w
}

// retire puts the new model into use.
func (w *purgeWorld) retire() {
	w.t.Helper()
	w.run(exitOK, "audit", "append", w.path("audit"), "deploy", "--digest", "model="+newModel)
	w.run(exitOK, "audit", "append", w.path("audit"), "retire", "--digest", "model="+oldModel)
}

// open opens a request for erasure and returns its number.
func (w *purgeWorld) open(query string) string {
	w.t.Helper()
	out, _ := w.run(exitOK, "erase", "open", "--ledger", w.path("ledger"), "--audit", w.path("audit"), "--law", "gdpr", "--kind", "erasure",
		"--received", time.Now().UTC().Format(time.DateOnly), "--query", query, "--inventory", w.path("rows.ninv"), "--key", w.path("inventory.key"), "--json")
	var all []govern.Request
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 1 {
		w.t.Fatal(out, err)
	}
	return all[0].ID
}

func (w *purgeWorld) suppress(request string) {
	w.t.Helper()
	w.run(exitOK, "erase", "suppress", request, "--ledger", w.path("ledger"), "--audit", w.path("audit"), "--out", w.path("suppress.nidx"), "--key-file", w.path("suppress.key"),
		"--corpus", w.path("rows.jsonl"), "--inventory", w.path("rows.ninv"), "--key", w.path("inventory.key"), "--possible")
}

func (w *purgeWorld) exclude(request string) {
	w.t.Helper()
	w.run(exitOK, "erase", "exclude", request, "--ledger", w.path("ledger"), "--audit", w.path("audit"), "--inventory", w.path("rows.ninv"), "--key", w.path("inventory.key"), "--out", w.path("erased.list"), "--possible")
}

// build returns the command line of a build with an inventory.
func (w *purgeWorld) build(name, input string) []string {
	return []string{
		"index", "build", "--audit", w.path("audit"), "--exclude", w.path("erased.list"), "--out", w.path(name + ".nidx"),
		"--inventory", w.path(name + ".ninv"), "--inventory-key", w.path("inventory.key"), w.path(input),
	}
}

// purge runs erase purge, wants an exit code, and returns the points by their names.
func (w *purgeWorld) purge(code int, index string, flags ...string) map[string]govern.Check {
	w.t.Helper()
	out, _ := w.run(code, append([]string{
		"erase", "purge", w.request, "--ledger", w.path("ledger"), "--log", w.path("audit"), "--index", w.path(index + ".nidx"), "--model", newModel,
		"--inventory", w.path(index + ".ninv"), "--key", w.path("inventory.key"), "--key-file", w.path("suppress.key"), "--suppress", w.path("suppress.nidx"), "--json",
	}, flags...)...)
	var answer struct {
		Complete bool
		Checks   []govern.Check
		NotShown []string `json:"not_shown"`
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || len(answer.Checks) != 6 || len(answer.NotShown) == 0 || answer.Complete != (code == exitOK) {
		w.t.Fatalf("%s%v", out, err)
	}
	all := map[string]govern.Check{}
	for _, c := range answer.Checks {
		all[c.ID] = c
	}
	return all
}

// wantPoint compares a point.
func (w *purgeWorld) wantPoint(points map[string]govern.Check, id, state, found string) {
	w.t.Helper()
	if c := points[id]; c.State != state || !strings.Contains(c.Found, found) {
		w.t.Errorf("%s is %s: %s, want %s: %s", id, c.State, c.Found, state, found)
	}
}

// TestPurge ends a request: while a row is left, a window is shared, the model is an old one or
// an old model is in use, nothing is deleted and the exit code is 5. Then all is shown, and the
// receipt shows it to somebody who has no access to the log.
func TestPurge(t *testing.T) {
	t.Parallel()
	w := newPurgeWorld(t)
	w.refusedBuilds()

	// A list that a build was not told of.
	bad := w.build("bad", "rows.jsonl")
	w.run(exitOK, append(append(bad[:4:4], "--label", "x"), bad[6:]...)...)
	points := w.purge(exitRefused, "bad", "--model", oldModel)
	w.wantPoint(points, "P1", govern.NotShown, "17 rows of the request: rows.jsonl:"+fmt.Sprint(w.rows[0]))
	w.wantPoint(points, "P2", govern.NotShown, "the index has 2 identifiers")
	w.wantPoint(points, "P3", govern.NotShown, "was in use before the request")
	w.wantPoint(points, "P6", govern.NotShown, "nothing was deleted")
	points = w.purge(exitRefused, "rows")
	w.wantPoint(points, "P1", govern.NotShown, "the index is the one that has the rows")

	w.shared()
	points = w.purge(exitRefused, "next")
	w.wantPoint(points, "P1", govern.Shown, "none of 17 rows and ")
	w.wantPoint(points, "P2", govern.Shown, "none of ")
	w.wantPoint(points, "P3", govern.Shown, "1 older model")
	w.wantPoint(points, "P4", govern.NotShown, oldModel)
	w.wantPoint(points, "P5", govern.NotAsked, "")
	w.run(exitOK, "audit", "append", w.path("audit"), "deploy", "--digest", "model="+newModel)
	w.run(exitOK, "audit", "append", w.path("audit"), "retire", "--digest", "model="+oldModel)
	if _, err := os.Stat(w.path("ledger/" + w.request + ".set")); err != nil {
		t.Errorf("the erase set went before the points were shown: %v", err)
	}

	w.probed()
	w.served()
	w.run(exitRefused, "erase", "receipt", w.request, "--ledger", w.path("ledger"), "--log", w.path("audit"))
	points = w.purge(exitOK, "next")
	w.wantPoint(points, "P6", govern.Shown, "")
	w.purge(exitOK, "next") // again
	w.receipt()
	w.secrets()
}

// shared purges while another row has a sentence of the person's rows.
func (w *purgeWorld) shared() {
	w.t.Helper()
	row := strings.Split(string(readFile(w.t, w.path("rows.jsonl"))), "\n")[w.rows[0]-1]
	_, row, _ = strings.Cut(row, `"content":"`)
	text := strings.Join(strings.Fields(row)[:12], " ")
	w.write("shared.jsonl", string(readFile(w.t, w.path("kept.jsonl")))+`{"messages":[{"role":"user","content":"`+text+`"}]}`+"\n")
	w.run(exitOK, w.build("shared", "shared.jsonl")...)
	points := w.purge(exitRefused, "shared")
	w.wantPoint(points, "P1", govern.Shown, "")
	w.wantPoint(points, "P2", govern.NotShown, "are also in remaining rows, probably shared.jsonl:984")
	w.wantPoint(points, "P2", govern.NotShown, "3 of ")
	w.wantPoint(w.purge(exitRefused, "shared", "--accept-shared"), "P2", govern.Shown, "accepted")
}

// probed purges with probes of the new model.
func (w *purgeWorld) probed() {
	w.t.Helper()
	scan := func(code int, name, text string) []string {
		w.write(name, text)
		out, _ := w.run(code, "scan", "--json", "--index", w.path("suppress.nidx"), "--key-file", w.path("suppress.key"), w.path(name))
		w.write(name+".json", out)
		return []string{"--probe", w.path(name + ".json")}
	}
	w.wantPoint(w.purge(exitRefused, "next", scan(exitFindings, "leak.txt.jsonl", `{"text":"Write to ANN.RAY@example.org"}`)...), "P5", govern.NotShown, "1 finding of the request")
	w.wantPoint(w.purge(exitRefused, "next", scan(exitOK, "none.txt.jsonl", "")...), "P5", govern.NotShown, "0 words")
	w.write("cut.json", "{}\n")
	w.wantPoint(w.purge(exitRefused, "next", "--probe", w.path("cut.json")), "P5", govern.NotShown, "no complete output")
	w.probe = scan(exitOK, "clean.txt.jsonl", `{"text":"Hello, how can I help you?"}`)
}

// served purges while proxies serve the old index, and then the suppression index.
func (w *purgeWorld) served() {
	t := w.t
	t.Helper()
	build := func(name string) string {
		info, err := statIndex(w.path(name))
		if err != nil {
			t.Fatal(err)
		}
		return info.BuildID
	}
	var lines strings.Builder
	alert := func(kind, boot, builds string) {
		t.Helper()
		n, seq := strings.Count(lines.String(), "\n")+1, strings.Count(lines.String(), boot)+1
		fmt.Fprintf(&lines, `{"v":1,"type":"%s","id":"01KB%022d","seq":%d,"boot":"%s","time":"%s","action":"applied","index":{"build_id":"%s","generation":1}}`+"\n",
			kind, n, seq, boot, time.Now().UTC().Format(time.RFC3339), builds)
		w.write("alerts.jsonl", lines.String())
		w.run(exitOK, "audit", "collect", "--into", w.path("audit"), w.path("alerts.jsonl"))
	}
	const one, two = "01KBVXQZ2Q3M4N5P6Q7R8S9T01", "01KBVXQZ2Q3M4N5P6Q7R8S9T02"
	suppress, old := build("suppress.nidx"), build("rows.nidx")
	alert("start", one, old+"+"+suppress)
	alert("start", two, old)
	alert("stop", two, old)
	w.wantPoint(w.purge(exitRefused, "next", w.probe...), "P4", govern.NotShown, "boot "+one)
	alert("reload", one, build("next.nidx")+"+"+suppress)
	points := w.purge(exitRefused, "next", w.probe...)
	w.wantPoint(points, "P4", govern.Shown, "")
	w.wantPoint(points, "P5", govern.Shown, "0 findings of the request in 7 words")
	w.wantPoint(points, "P6", govern.NotShown, "the proxy with boot "+one+" still has the person")
	w.takenOut()
	w.run(exitUsage, "erase", "purge", w.request, "--ledger", w.path("ledger"), "--log", w.path("audit"), "--index", w.path("rows.nidx"), "--model", newModel)
	w.wantPoint(w.purge(exitRefused, "next"), "P6", govern.NotShown, "the proxy with boot "+one+" still has the person")
	alert("reload", one, build("next.nidx")+"+"+build("suppress.nidx"))
}

// takenOut wants the person out of the suppression index, and the other one in it.
func (w *purgeWorld) takenOut() {
	w.t.Helper()
	w.write("both.txt", "write to carl@example.net or to ANN.RAY@example.org")
	out, _ := w.run(exitFindings, "scan", "--json", "--index", w.path("suppress.nidx"), "--key-file", w.path("suppress.key"), w.path("both.txt"))
	if strings.Count(out, w.other) != 1 || strings.Contains(out, w.request) || bytes.Contains(readFile(w.t, w.path("suppress.nidx")), []byte(w.request)) {
		w.t.Errorf("the suppression index finds %s", out)
	}
	for name, there := range map[string]bool{w.request + ".set": false, w.request + ".nidx.gz": true, w.other + ".set": true, w.other + ".nidx.gz": true} {
		if _, err := os.Stat(w.path("ledger/" + name)); (err == nil) != there {
			w.t.Errorf("%s: %v", name, err)
		}
	}
}

// refusedBuilds builds from files that have erased rows again.
func (w *purgeWorld) refusedBuilds() {
	w.t.Helper()
	place := "rows.jsonl:" + fmt.Sprint(w.rows[0])
	if _, errs := w.run(exitRefused, w.build("bad", "rows.jsonl")...); !strings.Contains(errs, "17 rows of erased records") || !strings.Contains(errs, place) || !strings.Contains(errs, w.request) {
		w.t.Errorf("a restored file: %s", errs)
	}
	b := bytes.Replace(readFile(w.t, w.path("kept.jsonl")), []byte("w"), []byte("Ann.Ray@example.ORG w"), 1)
	w.write("edited.jsonl", string(b))
	if _, errs := w.run(exitRefused, w.build("bad", "edited.jsonl")...); !strings.Contains(errs, "edited.jsonl:1:") {
		w.t.Errorf("a new row with the address: %s", errs)
	}
	w.run(exitRefused, append(w.build("bad", "rows.jsonl"), "--capacity", "100000")...)
	if _, err := os.Stat(w.path("bad.nidx")); err == nil {
		w.t.Error("a refused build wrote an index")
	}
	key := w.run2(exitUsage, w.path("other.key"))
	if !strings.Contains(key, "key") {
		w.t.Errorf("another key: %s", key)
	}
	args := w.build("bad", "rows.jsonl") // without an inventory of its own
	w.run(exitRefused, append(args[:8:8], "--inventory-key", w.path("inventory.key"), w.path("rows.jsonl"))...)
}

// run2 builds with another key of the inventory.
func (w *purgeWorld) run2(code int, key string) string {
	w.t.Helper()
	args := w.build("bad", "kept.jsonl")
	args[len(args)-2] = key
	_, errs := w.run(code, args...)
	return errs
}

// receipt writes the receipt and verifies it.
func (w *purgeWorld) receipt() {
	t := w.t
	t.Helper()
	ledger := w.path("ledger/" + w.request + ".json")
	if !bytes.Contains(readFile(t, ledger), []byte("salt")) {
		t.Error("there is no salt before the receipt is written")
	}
	w.run(exitOK, "erase", "receipt", w.request, "--ledger", w.path("ledger"), "--log", w.path("audit"), "--html", "--out", w.path("receipt.html"))
	for _, gone := range []string{"salt", "query", "excluded"} {
		if bytes.Contains(readFile(t, ledger), []byte(`"`+gone+`":`)) {
			t.Errorf("the ledger still has the %s", gone)
		}
	}
	w.run(exitFailure, "erase", "receipt", w.request, "--ledger", w.path("ledger"), "--log", w.path("audit"))
	verify := func(code int, args ...string) string {
		t.Helper()
		out, errs := w.run(code, append([]string{"erase", "verify", w.path("receipt.html"), "--key", w.vkey}, args...)...)
		return out + errs
	}
	for _, format := range []string{"table", "json", "html"} {
		if out := verify(exitOK, "--log", w.path("audit"), "--query", w.path("query.json"), "--format", format); !strings.Contains(out, "2 identifiers of the query") {
			t.Errorf("verify: %s", out)
		}
	}
	verify(exitOK) // without the log
	w.write("bo.json", `{"email":"bo.ray@example.org"}`)
	if out := verify(exitFailure, "--query", w.path("bo.json")); !strings.Contains(out, "NOT about 1 of 1 identifier") {
		t.Errorf("another person: %s", out)
	}
	w.run(exitOK, "audit", "init", w.path("foreign"), "--name", "example.com/other")
	w.run(exitIntegrity, "erase", "verify", w.path("receipt.html"), "--key", strings.TrimSpace(string(readFile(t, w.path("foreign/log.vkey")))))
	verify(exitIntegrity, "--log", w.path("foreign"))
	page := string(readFile(t, w.path("receipt.html")))
	at := strings.Index(page, "payload")
	w.write("changed.html", page[:at+60]+"A"+page[at+61:])
	w.run(exitIntegrity, "erase", "verify", w.path("changed.html"), "--key", w.vkey)
}

// secrets looks for the person in all that was written.
func (w *purgeWorld) secrets() {
	w.t.Helper()
	types := map[string]int{}
	if _, err := audit.Verify(w.path("audit"), audit.VerifyOptions{Entry: func(_ int64, record []byte) error {
		e, err := audit.Decode(record)
		if e.ID == w.request {
			types[strings.TrimPrefix(e.Type, "request.")]++
		}
		return err
	}}); err != nil {
		w.t.Fatal(err)
	}
	for _, step := range []string{"opened", "suppressing", "suppressed", "excluded", "purging", "purged", "closed"} {
		if types[step] != 1 {
			w.t.Errorf("%d entries about the step %s", types[step], step)
		}
	}
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".jsonl") || path == w.path("both.txt") || path == w.path("query.json") || path == w.path("bo.json") {
			return err
		}
		for _, secret := range personSecrets {
			if bytes.Contains(bytes.ToLower(readFile(w.t, path)), []byte(secret)) {
				w.t.Errorf("%s contains %q", path, secret)
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if left, err := filepath.Glob(w.path("ledger/" + w.request + ".*")); err != nil || len(left) != 1 {
		w.t.Errorf("the ledger has %v", left)
	}
}
