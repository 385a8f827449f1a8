package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"noecho/detect"
	"noecho/proxy/config"
	"noecho/proxy/policy"
)

// owners is a folder in which the program makes indexes.
type owners struct {
	t   *testing.T
	dir string
}

// run runs the program in the folder and returns its standard output. The words of a
// command that name a file there begin with @.
func (o *owners) run(command string) string {
	o.t.Helper()
	var out, errs bytes.Buffer
	root := newRootCommand(&app{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, getenv: func(string) string { return "" }})
	args := strings.Fields(command)
	for i := range args {
		if name, ok := strings.CutPrefix(args[i], "@"); ok {
			args[i] = filepath.Join(o.dir, name)
		}
	}
	root.SetArgs(args)
	if err := root.Execute(); err != nil {
		o.t.Fatalf("noecho %s: %v\n%s", command, err, &errs)
	}
	return out.String()
}

func (o *owners) write(name, text string) {
	o.t.Helper()
	if err := os.WriteFile(filepath.Join(o.dir, name), []byte(text), 0o600); err != nil {
		o.t.Fatal(err)
	}
}

// verdict returns the action of the findings in a text, and the records that an alert names,
// under rules and with the indexes in this order.
func (o *owners) verdict(rules, text string, indexes ...string) string {
	o.t.Helper()
	var opened config.Config
	for _, name := range indexes {
		opened.Index = append(opened.Index, config.Index{Path: filepath.Join(o.dir, name)})
	}
	open, err := openSet(&opened)
	if err != nil {
		o.t.Fatal(err)
	}
	defer open.Close()
	cfg, err := config.Load("x", []byte("version: 1\n"+rules))
	if err != nil {
		o.t.Fatal(err)
	}
	judge := policy.Compile(&cfg, &open.Records).For(policy.Request{Route: "/", Mode: detect.Redact}, nil, nil)
	d := detect.New(open.Set, open.Spec, detect.Config{Judge: judge.Judge})
	var out []string
	_, _ = d.Append(nil, []byte(text)), d.Finish(nil)
	for _, f := range d.Closed(nil) {
		one := f.Action.String()
		for _, r := range judge.Named(f) {
			one += " " + r.Dataset + "/" + filepath.Base(r.ID)
		}
		out = append(out, one)
	}
	return strings.Join(out, ", ")
}

// TestTheStrictestDataset: an identifier in two datasets has the strictest action of the two,
// whichever index comes first, after a merge, and in one index of both. So has one in
// datasets with two labels, and one that two data subjects have.
func TestTheStrictestDataset(t *testing.T) {
	t.Parallel()
	o := &owners{t, t.TempDir()}
	o.write("a.txt", "write to jo@example.org\nor to ann@example.org")
	o.write("b.txt", "or jo@example.org\nor bo@example.org")
	o.write("people.csv", "id,email,label\np-1,jo@example.org,public\np-2,al@example.org,public\n")
	o.write("others.csv", "id,email\np-7,jo@example.org\np-1,cy@example.org\n")
	for _, command := range []string{
		"index build --out @a.nidx --capacity 50 --label open @a.txt",
		"index build --out @b.nidx --capacity 50 --label closed @b.txt",
		"index build --out @ab.nidx @a.txt @b.txt",
		"index build --out @ba.nidx @b.txt @a.txt",
		"index merge --out @a+b.nidx @a.nidx @b.nidx",
		"index merge --out @b+a.nidx @b.nidx @a.nidx",
		"index build --out @people.nidx --capacity 50 --subjects @people.csv --label staff @a.txt",
		"index build --out @others.nidx --capacity 50 --subjects @others.csv --label closed --dataset c @a.txt",
		"index merge --out @all.nidx @others.nidx @people.nidx @b.nidx",
	} {
		o.run(command)
	}
	sets := func(strict, text, want string, indexes ...string) {
		t.Helper()
		rules := "rules: [{when: {" + strict + "}, action: block}, {action: redact}]"
		got := o.verdict(rules, text, indexes...)
		action, records, _ := strings.Cut(got, " ")
		names := strings.Fields(records)
		slices.Sort(names)
		if got = strings.TrimSpace(action + " " + strings.Join(names, " ")); got != want {
			t.Errorf("%s, %q, %v: %s, want %s", strict, text, indexes, got, want)
		}
	}
	const text = "it is jo@example.org indeed"
	for _, indexes := range [][]string{{"a.nidx", "b.nidx"}, {"b.nidx", "a.nidx"}, {"a+b.nidx"}, {"b+a.nidx"}, {"ab.nidx"}, {"ba.nidx"}} {
		for _, dataset := range []string{"a.txt", "b.txt"} {
			sets("dataset: "+dataset, text, "block a.txt/a.txt b.txt/b.txt", indexes...)
		}
		sets("dataset: c.txt", text, "redact a.txt/a.txt b.txt/b.txt", indexes...)
		sets("dataset: b.txt", "or ann@example.org", "redact a.txt/a.txt", indexes...)
		sets("dataset: b.txt", "or bo@example.org", "block b.txt/b.txt", indexes...)
		if strings.Contains(indexes[0], "ab") || strings.Contains(indexes[0], "ba") {
			continue // one build has one set of labels
		}
		sets("label: open", text, "block a.txt/a.txt b.txt/b.txt", indexes...)
		sets("label: closed", text, "block a.txt/a.txt b.txt/b.txt", indexes...)
		sets("label: closed", "or ann@example.org", "redact a.txt/a.txt", indexes...)
	}
	// Subjects have the labels of the build, beside those of their list.
	sets("label: staff", "is it al@example.org", "block subjects/p-2", "people.nidx")
	sets("label: public", "is it al@example.org", "block subjects/p-2", "people.nidx")
	sets("label: closed", "is it al@example.org", "redact subjects/p-2", "people.nidx")
	sets("dataset: subjects", "is it al@example.org", "block subjects/p-2", "people.nidx")
	for _, indexes := range [][]string{{"people.nidx", "others.nidx", "b.nidx"}, {"b.nidx", "others.nidx", "people.nidx"}, {"all.nidx"}} {
		for _, label := range []string{"staff", "public", "closed"} {
			sets("label: "+label, text, "block a.txt/a.txt b.txt/b.txt c/a.txt subjects/p-1 subjects/p-7", indexes...)
		}
		sets("label: open", text, "redact a.txt/a.txt b.txt/b.txt c/a.txt subjects/p-1 subjects/p-7", indexes...)
		// p-1 is one person, who has the labels of both lists.
		for _, label := range []string{"staff", "public", "closed"} {
			sets("label: "+label, "is it cy@example.org", "block subjects/p-1", indexes...)
		}
	}
}

// TestManyDatasets: the alert of an identifier in more datasets than it can name names the
// one that decides.
func TestManyDatasets(t *testing.T) {
	t.Parallel()
	o := &owners{t, t.TempDir()}
	command := "index build --out @x.nidx"
	for i := range 40 {
		o.write(fmt.Sprintf("%02d.txt", i), "jo@example.org")
		command += fmt.Sprintf(" @%02d.txt", i)
	}
	o.run(command)
	for i := range 40 {
		got := o.verdict(fmt.Sprintf("rules: [{when: {dataset: %02d.txt}, action: block}]", i), "to jo@example.org", "x.nidx")
		if !strings.HasPrefix(got, "block ") || !strings.Contains(got, fmt.Sprintf(" %02d.txt/", i)) || strings.Count(got, "/") != 8 {
			t.Errorf("dataset %d: %s", i, got)
		}
	}
}

// TestOverlappingPhrases: phrases that overlap are one finding. The rules see each of them,
// in whichever order they end, and the alert names the one that decides.
func TestOverlappingPhrases(t *testing.T) {
	t.Parallel()
	o := &owners{t, t.TempDir()}
	o.write("short.jsonl", `{"id":"s1","prompt":"","completion":"mail to jo@example.org"}`+"\n"+`{"id":"s2","prompt":"","completion":"jo@example.org is right"}`+"\n")
	o.write("mail.txt", "jo@example.org")
	o.run("index build --out @short.nidx --no-identifiers --min-phrase 3 @short.jsonl")
	o.run("index build --out @mail.nidx @mail.txt")
	for _, indexes := range [][]string{{"short.nidx", "mail.nidx"}, {"mail.nidx", "short.nidx"}} {
		for text, short := range map[string]string{"mail to jo@example.org": "s1", "jo@example.org is right": "s2"} {
			for _, tt := range []struct{ when, want string }{
				{"dataset: mail.txt", "block mail.txt/mail.txt"},
				{"dataset: short.jsonl", "block short.jsonl/" + short},
				{"identifier: email", "block mail.txt/mail.txt"},
				{"identifier: phrase", "block short.jsonl/" + short},
				{"dataset: none", "redact short.jsonl/" + short},
			} {
				got := o.verdict("rules: [{when: {"+tt.when+"}, action: block}, {action: redact}]", "so "+text, indexes...)
				if got != tt.want {
					t.Errorf("%v, %s, %s: %s, want %s", indexes, text, tt.when, got, tt.want)
				}
			}
		}
	}
}

// TestSharedAttribute: an attribute of several people that counts near one of them is
// judged as an attribute of that one.
func TestSharedAttribute(t *testing.T) {
	t.Parallel()
	o := &owners{t, t.TempDir()}
	o.write("a.txt", "nothing here is about any of these people but they are in a list")
	o.write("people.csv", "id,name,city,label\np-1,Ann Ray,Bath,open\np-2,Bo Lee,Bath,closed\np-3,Cy Fox,Rome,closed\n")
	o.run("index build --out @x.nidx --subjects @people.csv @a.txt")
	const rules = "rules: [{when: {label: closed}, action: redact}, {when: {label: open}, action: observe}]"
	for text, want := range map[string]string{
		"Ann Ray of Bath":         "observe subjects/p-1, observe subjects/p-1",
		"Bo Lee of Bath":          "redact subjects/p-2, redact subjects/p-2",
		"she of Bath is Ann Ray":  "observe subjects/p-1, observe subjects/p-1",
		"in Bath there is Bo Lee": "redact subjects/p-2, redact subjects/p-2",
		"Cy Fox of Bath":          "redact subjects/p-3, redact subjects/p-3", // near someone whom the list names, as before
	} {
		if got := o.verdict(rules, text, "x.nidx"); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// TestCommonText: a text that many records of one dataset contain, and one of another, has
// the stricter action of the two, however the datasets are put together. So have texts
// that are nearly that text.
func TestCommonText(t *testing.T) {
	t.Parallel()
	o := &owners{t, t.TempDir()}
	const text = "the quick brown fox jumps over the lazy dog while nine old cats look on from a warm red roof"
	for _, name := range []string{"a", "b", "c"} {
		rows := ""
		for i := range map[string]int{"a": 40, "b": 1, "c": 40}[name] {
			rows += fmt.Sprintf(`{"id":"%s%d","prompt":"","completion":"%s"}`+"\n", name, i, text)
		}
		o.write(name+".jsonl", rows)
		o.run(fmt.Sprintf("index build --out @%s.nidx --capacity 60 --label %s @%s.jsonl", name, name, name))
	}
	o.run("index build --out @abc.nidx @a.jsonl @b.jsonl @c.jsonl")
	o.run("index merge --out @b+c.nidx @b.nidx @c.nidx")
	o.run("index merge --out @c+a.nidx @c.nidx @a.nidx")
	o.run("index merge --out @all.nidx @c+a.nidx @b.nidx")
	near := strings.Replace(strings.Replace(text, "nine old", "nine very old", 1), "lazy", "tired", 1)
	for _, text := range []string{text, near} {
		for _, indexes := range [][]string{
			{"a.nidx", "b.nidx", "c.nidx"}, {"c.nidx", "a.nidx", "b.nidx"}, {"b.nidx", "c+a.nidx"}, {"c+a.nidx", "b.nidx"}, {"a.nidx", "b+c.nidx"}, {"abc.nidx"}, {"all.nidx"},
		} {
			for _, dataset := range []string{"a", "b", "c"} {
				got := o.verdict("rules: [{when: {dataset: "+dataset+".jsonl}, action: block}]", "so "+text+" it is", indexes...)
				if !strings.HasPrefix(got, "block ") || !strings.Contains(got, " "+dataset+".jsonl/") {
					t.Errorf("%v, %s, %.40s: %s", indexes, dataset, text, got)
				}
			}
		}
	}
}

// TestCommonTextOfManyIndexes: so it is if a dozen indexes have the text in many records each.
func TestCommonTextOfManyIndexes(t *testing.T) {
	t.Parallel()
	o := &owners{t, t.TempDir()}
	const text = "the quick brown fox jumps over the lazy dog while nine old cats look on from a warm red roof"
	var indexes []string
	for i := range 12 {
		name := fmt.Sprintf("set%02d", i)
		o.write(name+".txt", strings.Repeat(text+" \n\n", 1)+strings.Repeat("and "+text+" ", 20*(i%4)))
		o.run(fmt.Sprintf("index build --out @%s.nidx @%s.txt", name, name))
		indexes = append(indexes, name+".nidx")
	}
	for range 2 {
		for i := range 12 {
			got := o.verdict(fmt.Sprintf("rules: [{when: {dataset: set%02d.txt}, action: block}]", i), "so "+text+" it is", indexes...)
			if !strings.HasPrefix(got, "block ") || !strings.Contains(got, fmt.Sprintf(" set%02d.txt/", i)) {
				t.Errorf("dataset %d: %s", i, got)
			}
		}
		slices.Reverse(indexes)
	}
}

// TestLackingIndex: index info and check say that an index of an older noecho lacks SHARED,
// and say so of no new one.
func TestLackingIndex(t *testing.T) {
	t.Parallel()
	o := &owners{t, t.TempDir()}
	old, err := os.ReadFile("../../testdata/compat/merged.nidx")
	if err != nil {
		t.Fatal(err)
	}
	o.write("old.nidx", string(old))
	o.write("a.txt", "jo@example.org")
	o.write("b.txt", "jo@example.org")
	o.run("index build --out @new.nidx @a.txt @b.txt")
	for name, lacks := range map[string]bool{"old.nidx": true, "new.nidx": false} {
		o.write("x.yaml", fmt.Sprintf("version: 1\nupstream: {url: http://127.0.0.1:9}\nindex: %q\n", filepath.Join(o.dir, name)))
		for _, command := range []string{"index info @" + name, "check @x.yaml"} {
			if out := o.run(command); strings.Contains(out, "SHARED: of an identifier in several datasets") != lacks {
				t.Errorf("%s: %s", command, out)
			}
		}
	}
}
