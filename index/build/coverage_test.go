package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noecho/index"
	"noecho/index/corpus"
	"noecho/internal/coverage"
)

// chatRows returns rows of chats, each with a note that no format names.
func chatRows(rows int) string {
	var b strings.Builder
	for i := range rows {
		fmt.Fprintf(&b, `{"messages":[{"role":"system","content":%q},{"role":"user","content":%q}],"note%d":%q}`+"\n", prose(1, 20), prose(uint64(i), 30), i%40, prose(uint64(1000+i), 12))
	}
	return b.String()
}

// TestUnread: text that nobody reads ends the build before anything is written, with or
// without a capacity or a report; flags and options say which text that is.
func TestUnread(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := filepath.Join(dir, "x.nidx")
	row := fmt.Sprintf(`{"prompt":%q,"critique":%q}`, prose(1, 20), prose(2, 20))
	in := writeInput(t, filepath.Join(dir, "a.jsonl"), row+"\n")
	report := filepath.Join(dir, "common.jsonl")
	for _, o := range []Options{{}, {Capacity: 1000}, {Report: report}, {DryRun: true}} {
		o.Out, o.Inputs = out, []string{in}
		_, err := Build(context.Background(), o)
		var unread *coverage.UnreadError
		if !errors.As(err, &unread) || !strings.HasSuffix(err.Error(), "read it with --field critique --field prompt, or build without it with --accept-unread") {
			t.Fatalf("%+v: %v", o, err)
		}
		if len(unread.Tables) != 1 || unread.Tables[0].Name != "a.jsonl" {
			t.Errorf("tables %+v", unread.Tables)
		}
		for _, path := range []string{out, report} {
			if _, err := os.Stat(path); err == nil {
				t.Errorf("%s was written", path)
			}
		}
	}
	for _, o := range []Options{{AcceptUnread: true}, {Corpus: corpus.Options{Fields: []string{"critique", "prompt"}}}} {
		o.Out, o.Inputs = out, []string{in}
		res, err := Build(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Manifest.Datasets[0].Coverage; (got.Unread == 0) == o.AcceptUnread || got.Read == 0 {
			t.Errorf("%+v: %+v", o, got)
		}
	}
	// One text in a hundred and more does not end the build, but it is in the table.
	many := strings.Repeat(fmt.Sprintf(`{"prompt":%q}`+"\n", prose(1, 20)), 150) + row
	res, err := Build(context.Background(), Options{Out: out, Inputs: []string{writeInput(t, filepath.Join(dir, "b.jsonl"), many)}})
	if err != nil || res.Manifest.Datasets[0].Coverage.Unread == 0 {
		t.Errorf("%v", err)
	}
}

// TestMistypedField: a field that is in no row is an error, even if another one is.
func TestMistypedField(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := writeInput(t, filepath.Join(dir, "a.jsonl"), fmt.Sprintf(`{"prompt":%q,"response":%q}`, prose(1, 20), prose(2, 20)))
	_, err := Build(context.Background(), Options{
		Out: filepath.Join(dir, "x.nidx"), Inputs: []string{in}, Corpus: corpus.Options{Fields: []string{"prompt", "resp0nse"}},
	})
	var columns *corpus.ColumnsError
	if !errors.As(err, &columns) || !strings.Contains(err.Error(), "there is no column resp0nse: did you mean response?") {
		t.Errorf("%v", err)
	}
}

// TestMistypedRole: a role that no message has is an error with the nearest one that occurs;
// an unusual speaker is the model.
func TestMistypedRole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rows := func(role string) string {
		return fmt.Sprintf(`{"messages":[{"role":"user","content":%q},{"role":%q,"content":%q}]}`+"\n", prose(1, 20), role, prose(2, 20))
	}
	for role, data := range map[string]string{"asistant": rows("assistant"), "gpt": rows("assistant"), "assistant": rows("critic"), "model": rows("model")} {
		in := writeInput(t, filepath.Join(dir, role+".jsonl"), data)
		_, err := Build(context.Background(), Options{Out: filepath.Join(dir, "x.nidx"), Inputs: []string{in}, DryRun: true, Corpus: corpus.Options{Roles: []string{"user", role}}})
		wrong := role == "asistant" || role == "gpt"
		if wrong != (err != nil) || wrong && err.Error() != "no message has the role "+role+": did you mean assistant? name another with --roles; the roles are assistant, user" {
			t.Errorf("%s: %v", role, err)
		}
	}
}

// TestHintsOfBuilds: the error of a build names a flag that helps.
func TestHintsOfBuilds(t *testing.T) {
	t.Parallel()
	long := "What did you like about our product, and why?"
	for name, c := range map[string]struct{ file, data, want string }{
		"a long name":     {"a.csv", "prompt,\"" + long + "\"\n\"" + prose(1, 20) + "\",\"" + prose(2, 20) + "\"\n", "its full name, or all of the file with --format text"},
		"an empty name":   {"a.csv", "prompt,\"\"\n\"" + prose(1, 20) + "\",\"" + prose(2, 20) + "\"\n", "--field '' --field prompt"},
		"a skipped file":  {"a.arrow", "ARROW1\x00\x00" + prose(1, 20), "--exclude-path '*.arrow'"},
		"system messages": {"a.jsonl", fmt.Sprintf(`{"messages":[{"role":"system","content":%q}]}`, prose(1, 20)), "--roles '*'"},
	} {
		dir := t.TempDir()
		writeInput(t, filepath.Join(dir, "in", c.file), c.data)
		writeInput(t, filepath.Join(dir, "in", "b.txt"), "two words")
		if _, err := Build(context.Background(), Options{Out: filepath.Join(dir, "x.nidx"), Inputs: []string{filepath.Join(dir, "in")}}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFileWithoutField: a file in a folder without the field that is named is left out, as rows
// without it are, and counted.
func TestFileWithoutField(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	writeInput(t, filepath.Join(in, "a.jsonl"), fmt.Sprintf(`{"q":%q}`, prose(1, 20)))
	without := fmt.Sprintf(`{"a":%q}`, prose(2, 20))
	writeInput(t, filepath.Join(in, "b.jsonl"), without)
	res, err := Build(context.Background(), Options{Out: filepath.Join(dir, "x.nidx"), Inputs: []string{in}, Corpus: corpus.Options{Fields: []string{"q"}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Manifest.Datasets[0].Coverage; got.LeftOut != uint64(len(without)) || got.Unread > 0 {
		t.Errorf("%+v", got)
	}
}

// TestCoverageIsTheSame builds one corpus with any number of workers and in two parts: the
// index has the same bytes, and the sum of the parts' tables is that of the whole.
func TestCoverageIsTheSame(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rows := strings.SplitAfter(chatRows(6000), "\n")
	whole := writeInput(t, filepath.Join(dir, "a.jsonl"), strings.Join(rows, ""))
	build := func(name string, workers int, inputs ...string) []byte {
		out := filepath.Join(dir, name)
		if _, err := Build(context.Background(), Options{Out: out, Inputs: inputs, Workers: workers, AcceptUnread: true, Dataset: "d", Capacity: 400_000}); err != nil {
			t.Fatal(err)
		}
		return readAll(t, out)
	}
	if !bytes.Equal(build("1.nidx", 1, whole), build("4.nidx", 4, whole)) {
		t.Error("the index depends on the number of workers")
	}
	var parts []string
	for i := range 2 {
		in := writeInput(t, filepath.Join(dir, fmt.Sprint(i), "a.jsonl"), strings.Join(rows[i*3000:(i+1)*3000], ""))
		build(fmt.Sprint("part", i), 1, in)
		parts = append(parts, filepath.Join(dir, fmt.Sprint("part", i)))
	}
	merged, err := Merge(context.Background(), MergeOptions{Out: filepath.Join(dir, "merged"), Inputs: parts})
	if err != nil {
		t.Fatal(err)
	}
	ix, err := index.Open(filepath.Join(dir, "1.nidx"))
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	if got, want := fmt.Sprintf("%+v", merged.Manifest.Datasets[0].Coverage), fmt.Sprintf("%+v", ix.Files()[0].Manifest.Datasets[0].Coverage); got != want {
		t.Errorf("the merged parts have %s, the whole %s", got, want)
	}
}

// TestUnreadAttachments: an attachment of a mail that cannot be read ends every build, that of a dry run too.
func TestUnreadAttachments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := writeInput(t, filepath.Join(dir, "a.eml"), "From: a\nSubject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n"+prose(1, 20)+"\n--b\nContent-Type: application/pdf\n\n%PDF-1.7\n"+prose(2, 20)+"\n--b--\n")
	for _, o := range []Options{{}, {Capacity: 1000}, {DryRun: true}, {AcceptUnread: true}} {
		o.Out, o.Inputs = filepath.Join(dir, "x.nidx"), []string{in}
		res, err := Build(context.Background(), o)
		if !o.AcceptUnread && (err == nil || !strings.Contains(err.Error(), "(attachments)") || !strings.Contains(err.Error(), "save the attachments")) {
			t.Errorf("%+v: %v", o, err)
		}
		if o.AcceptUnread && (err != nil || res.Manifest.Datasets[0].Records != 1) {
			t.Errorf("%+v, %v", res, err)
		}
	}
}

// TestManyFormats names how many files were read as which format, rows too.
func TestManyFormats(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 9 {
		writeInput(t, filepath.Join(dir, fmt.Sprintf("%d.jsonl", i)), fmt.Sprintf(`{"prompt":%q}`+"\n", prose(uint64(i), 20)))
	}
	writeInput(t, filepath.Join(dir, "a.txt"), prose(99, 20))
	var notes []string
	_, err := Build(context.Background(), Options{Out: filepath.Join(t.TempDir(), "x.nidx"), Inputs: []string{dir}, Notice: func(s string) { notes = append(notes, s) }})
	if got := strings.Join(notes, "; "); err != nil || got != "9 files read as rows; 1 file read as text" {
		t.Errorf("%q, %v", got, err)
	}
}
