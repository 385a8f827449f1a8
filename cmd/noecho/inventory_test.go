package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"noecho/audit"
)

// personSpellings are the ways in which the records of inventoryWorld write one person.
var personSpellings = []string{
	"ann.ray@example.org", "Ann.Ray@EXAMPLE.org", "<mailto:ANN.RAY@example.org>",
	"+44 20 7946 0958", "0044 (20) 79460958", "020-7946-0958",
}

// personSecrets must not be in anything that noecho writes. They are so long that no hash has them by chance.
var personSecrets = []string{"ann.ray", "7946 0958", "7946-0958", "79460958", "bob5@"}

// inventoryWorld has a corpus in which one person is in 17 of 1,000 rows, an index, an
// inventory, keys and a query about the person.
type inventoryWorld struct {
	t    *testing.T
	dir  string
	bin  string
	rows []int // lines with the person, ascending
}

func newInventoryWorld(t *testing.T) *inventoryWorld {
	t.Helper()
	bin, err := exec.LookPath("noecho")
	if err != nil {
		t.Fatal(err)
	}
	w := &inventoryWorld{t: t, dir: t.TempDir(), bin: bin}
	r := rand.New(rand.NewPCG(17, 1000))
	w.rows = r.Perm(1000)[:17]
	var b strings.Builder
	for i := range 1000 {
		text := ""
		for range 30 {
			text += fmt.Sprintf("w%d ", r.IntN(5000))
		}
		if k := slices.Index(w.rows, i); k >= 0 {
			text += fmt.Sprintf("Write to %s, or else bob%d@example.net.", personSpellings[k%len(personSpellings)], k)
		}
		fmt.Fprintf(&b, `{"messages":[{"role":"user","content":"%s"}]}`+"\n", text)
	}
	for i := range w.rows {
		w.rows[i]++
	}
	slices.Sort(w.rows)
	w.write("rows.jsonl", b.String())
	w.write("query.json", `{"email":"Ann.Ray@example.org","phone":"+44 20 7946 0958"}`)
	for _, key := range []string{"inventory.key", "other.key"} {
		w.run(exitOK, "index", "newkey", w.path(key))
	}
	w.run(exitOK, "audit", "init", w.path("audit"), "--name", "example.com/inventory")
	w.run(exitOK, "index", "build", "--audit", w.path("audit"), "--out", w.path("rows.nidx"), "--inventory", w.path("rows.ninv"), "--inventory-key", w.path("inventory.key"), w.path("rows.jsonl"))
	return w
}

func (w *inventoryWorld) path(name string) string { return filepath.Join(w.dir, name) }

func (w *inventoryWorld) write(name, text string) {
	w.t.Helper()
	writeText(w.t, w.path(name), text)
}

// run runs noecho, wants an exit code, and looks for secrets in the output.
func (w *inventoryWorld) run(code int, args ...string) (stdout, stderr string) {
	w.t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(w.bin, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != code {
		w.t.Fatalf("%v: exit code %d, want %d\n%s%s", args, got, code, out.String(), errs.String())
	}
	for _, secret := range personSecrets {
		if strings.Contains(strings.ToLower(out.String()+errs.String()), secret) {
			w.t.Errorf("%v prints %q", args, secret)
		}
	}
	return out.String(), errs.String()
}

// find searches and returns the lines that were found.
func (w *inventoryWorld) find(code int, args ...string) (lines []int, stderr string) {
	w.t.Helper()
	out, errs := w.run(code, append([]string{"inventory", "find", "--csv", "--query", w.path("query.json")}, args...)...)
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, row := range rows[min(1, len(rows)):] {
		var line int
		if _, err := fmt.Sscan(row[4], &line); err != nil {
			w.t.Fatalf("row %v", row)
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines, errs
}

// TestInventoryPerson finds a person in 17 of 1,000 rows, in six spellings, by an inventory and
// in the training files.
func TestInventoryPerson(t *testing.T) {
	t.Parallel()
	w := newInventoryWorld(t)
	rows := w.path("rows.jsonl")
	inventory := []string{"--inventory", w.path("rows.ninv"), "--key", w.path("inventory.key")}
	for _, args := range [][]string{inventory, {"--corpus", rows}, append([]string{"--index", w.path("rows.nidx"), "--corpus", rows}, inventory...)} {
		if got, _ := w.find(exitFindings, args...); !slices.Equal(got, w.rows) {
			t.Errorf("%v: lines %v, want %v", args, got, w.rows)
		}
	}
	if _, errs := w.find2(exitUsage, "--inventory", w.path("rows.ninv"), "--key", w.path("other.key")); !strings.Contains(errs, "another key") {
		t.Errorf("another key: %s", errs)
	}

	// One byte of a word is changed.
	b := readFile(t, rows)
	b[bytes.IndexByte(b, 'w')] = 'v'
	if err := os.WriteFile(rows, b, 0o600); err != nil {
		t.Fatal(err)
	}
	got, errs := w.find(exitFailure, append([]string{"--corpus", rows}, inventory...)...)
	if !slices.Equal(got, w.rows) || !strings.Contains(errs, "rows.jsonl is not as it was") {
		t.Errorf("changed file: %v %s", got, errs)
	}
	if err := os.Remove(rows); err != nil {
		t.Fatal(err)
	}
	if _, errs := w.find(exitFailure, append([]string{"--corpus", rows}, inventory...)...); !strings.Contains(errs, "rows.jsonl") {
		t.Errorf("missing file: %s", errs)
	}

	// A byte of the inventory is changed: no answer, or the right one.
	b = readFile(t, w.path("rows.ninv"))
	for _, at := range []int{20, 60, len(b) / 3, len(b) / 2, len(b) - 200} {
		b[at] ^= 4
		w.write("bad.ninv", string(b))
		w.run(exitIntegrity, "inventory", "verify", w.path("bad.ninv"))
		b[at] ^= 4
	}
}

// find2 is find for a search without an answer.
func (w *inventoryWorld) find2(code int, args ...string) (stdout, stderr string) {
	w.t.Helper()
	return w.run(code, append([]string{"inventory", "find", "--query", w.path("query.json")}, args...)...)
}

// TestInventorySecrets looks for the identifiers of a person in everything that a build and
// searches write, and in the list of processes while one runs.
func TestInventorySecrets(t *testing.T) {
	t.Parallel()
	w := newInventoryWorld(t)
	inventory := []string{"inventory", "find", "--inventory", w.path("rows.ninv"), "--key", w.path("inventory.key")}
	for _, format := range []string{"table", "csv", "html", "md", "json"} {
		w.run(exitFindings, append(inventory, "--query", w.path("query.json"), "--format", format)...)
		w.run(exitOK, "inventory", "show", w.path("rows.ninv"), "--format", format)
	}
	w.write("mistake.json", `{"email":["ann.ray@example.org"],"phone":{"79460958":79460958}}`)
	w.run(exitUsage, append(inventory, "--query", w.path("mistake.json"))...)
	w.write("broken.json", `{"email":"ann.ray@example.org`)
	w.run(exitUsage, append(inventory, "--query", w.path("broken.json"))...)
	_, errs := w.run(exitFindings, append(inventory, "--email", strings.ToUpper("ann.ray@example.org"))...)
	if !strings.Contains(errs, "list of processes") {
		t.Errorf("no warning about an argument: %q", errs)
	}
	written := 0
	err := filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || slices.Contains([]string{".jsonl", ".json"}, filepath.Ext(path)) {
			return err
		}
		written++
		for _, secret := range personSecrets {
			if bytes.Contains(bytes.ToLower(readFile(t, path)), []byte(secret)) {
				t.Errorf("%s contains %q", d.Name(), secret)
			}
		}
		return nil
	})
	if err != nil || written < 6 {
		t.Errorf("%d files were looked at, %v", written, err)
	}
	found := false
	_, err = audit.Verify(w.path("audit"), audit.VerifyOptions{Entry: func(_ int64, record []byte) error {
		found = found || bytes.Contains(record, []byte(`"type":"inventory.built"`))
		return nil
	}})
	if err != nil || !found {
		t.Errorf("the audit log has an entry about the inventory: %v, %v", found, err)
	}

	// While a search waits for its query, its arguments and environment are on show.
	cmd := exec.Command(w.bin, append(inventory, "--query", "-")...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cmdline", "environ"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, name))
		if err != nil {
			t.Logf("no list of processes here: %v", err)
			continue
		}
		for _, secret := range personSecrets {
			if bytes.Contains(bytes.ToLower(b), []byte(secret)) {
				t.Errorf("%s shows %q", name, secret)
			}
		}
	}
	if _, err := stdin.Write(readFile(t, w.path("query.json"))); err != nil {
		t.Fatal(err)
	}
	_ = stdin.Close()
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitFindings {
		t.Errorf("query from standard input: %v", err)
	}
}

// TestInventoryDatasets finds an identifier that is in records of several datasets, in all of
// them, whatever the order of the files.
func TestInventoryDatasets(t *testing.T) {
	t.Parallel()
	w := newInventoryWorld(t)
	var args, reversed []string
	for i, name := range []string{"a", "b", "c"} {
		text := ""
		for k := range 120 {
			text += fmt.Sprintf(`{"id":"%s%d","text":"Number %d of %d, ann.ray@example.org"}`+"\n", name, k, k, i)
		}
		w.write(name+".jsonl", text)
		w.run(exitOK, "index", "build", "--n", "5", "--label", "l-"+name, "--out", w.path(name+".nidx"), "--inventory", w.path(name+".ninv"), "--inventory-key", w.path("inventory.key"), w.path(name+".jsonl"))
		args = append(args, "--inventory", w.path(name+".ninv"), "--index", w.path(name+".nidx"))
		reversed = append([]string{"--index", w.path(name + ".nidx"), "--inventory", w.path(name + ".ninv")}, reversed...)
	}
	for _, order := range [][]string{args, reversed} {
		out, _ := w.find2(exitFindings, append(order, "--key", w.path("inventory.key"), "--csv")...)
		for _, name := range []string{"a", "b", "c"} {
			if n := strings.Count(out, name+".jsonl,l-"+name+","); n != 120 {
				t.Errorf("%d rows of %s, want 120", n, name)
			}
		}
	}
}

// TestKilledInventory kills builds with an inventory (SIGKILL) at random moments. Afterwards
// both files are old or complete, and an inventory that fits the index is there.
func TestKilledInventory(t *testing.T) {
	t.Parallel()
	w := newInventoryWorld(t)
	args := []string{"index", "build", "--n", "9", "--out", w.path("rows.nidx"), "--inventory", w.path("rows.ninv"), "--inventory-key", w.path("inventory.key"), w.path("rows.jsonl")}
	oldIndex, oldInventory := readFile(t, w.path("rows.nidx")), readFile(t, w.path("rows.ninv"))
	started := time.Now()
	w.run(exitOK, args...)
	took := time.Since(started)
	newIndex, newInventory := readFile(t, w.path("rows.nidx")), readFile(t, w.path("rows.ninv"))
	r := rand.New(rand.NewPCG(3, 4))
	tries := kills
	if testing.Short() {
		tries = 2
	}
	for range tries {
		w.write("rows.nidx", string(oldIndex))
		w.write("rows.ninv", string(oldInventory))
		killWithin(t, time.Duration(r.Int64N(int64(took))), w.bin, args...)
		index, inventory := readFile(t, w.path("rows.nidx")), readFile(t, w.path("rows.ninv"))
		if !bytes.Equal(index, oldIndex) && !bytes.Equal(index, newIndex) || !bytes.Equal(inventory, oldInventory) && !bytes.Equal(inventory, newInventory) {
			t.Fatal("a file is neither the old nor the new one")
		}
		if bytes.Equal(index, newIndex) && bytes.Equal(inventory, oldInventory) {
			t.Fatal("the index is new and has no inventory")
		}
	}
}

// TestPagesOfFiles asks for the pages that describe an index and the check of an inventory.
func TestPagesOfFiles(t *testing.T) {
	t.Parallel()
	w := newInventoryWorld(t)
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"index", "info", w.path("rows.nidx")}, []string{"<h1>Index rows.nidx</h1>", "This index has no key", "<h2>Parts of the file</h2>", "<td>CONFIRM</td>"}},
		{[]string{"inventory", "verify", w.path("rows.ninv")}, []string{"<h1>Check of an inventory</h1>", "No damage", "<td>rows.ninv</td>"}},
	} {
		page, _ := w.run(exitOK, append(c.args, "--html")...)
		for _, want := range c.want {
			if !strings.Contains(page, want) {
				t.Errorf("%v: the page lacks %q:\n%s", c.args, want, page)
			}
		}
		if table, _ := w.run(exitOK, append(c.args, "--csv")...); !strings.HasPrefix(table, "property,value\n") {
			t.Errorf("%v: CSV begins with %.40q", c.args, table)
		}
		var value map[string]any
		if text, _ := w.run(exitOK, append(c.args, "--json")...); json.Unmarshal([]byte(text), &value) != nil || value["file"] == nil {
			t.Errorf("%v: JSON: %s", c.args, text)
		}
		w.run(exitUsage, append(c.args, "--json", "--html")...)
	}
}
