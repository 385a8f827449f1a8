package corpus

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestHints follows the command or the flag in each error of a file that is not read: it
// leads to files with all of the text. Commands that need more than the standard library of
// Python (pyarrow, pandas, fastavro) were tried by hand.
func TestHints(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, data string
		make       string // a command that makes the file
		needs      string // programs
		flags      Options
		flag       string // part of the error, instead of a command
	}{
		"rows of Python":         {file: "a.jsonl", needs: "python3", data: "{'prompt': None, 'completion': '$a', 'ok': True}\n{'completion': \"it's $b\"}\n"},
		"a list of Python":       {file: "a.json", needs: "python3", data: "[{'prompt': None, 'completion': '$a'},\n {'completion': '$b'}]\n"},
		"carriage returns alone": {file: "a.csv", needs: "tr", data: "prompt,completion\rx,$a\ry,$b\r"},
		"SQLite": {file: "a.db", needs: "python3", make: `python3 -c 'import sqlite3; d = sqlite3.connect("a.db"); d.execute("create table x(prompt)"); d.execute("create table [y z](text)"); ` +
			`d.execute("insert into x values(?)", ["` + say("a") + `"]); d.execute("insert into [y z] values(?)", ["` + say("b") + `"]); d.commit()'`},
		"another encoding":   {file: "a.txt", data: "caf\xe9 \xe9\xe8 $a\n\n$b\n", flag: "--encoding, say windows-1252", flags: Options{Encoding: "windows-1252"}},
		"a table in it":      {file: "a.csv", data: "prompt,completion\ncaf\xe9 \x93so\x94,$a\n\xe9,$b\n", flag: "--encoding, say windows-1252", flags: Options{Encoding: "windows-1252"}},
		"iconv":              {file: "a.txt", needs: "iconv", data: "caf\xe9 \xe9\xe8 $a\n\n$b\n"},
		"a program":          {file: "a.json", data: "rows =\n[{\"prompt\": \"$a\"}, {\"prompt\": \"$b\"}]\n", flag: "--format text", flags: Options{Format: Text}},
		"no JSON":            {file: "a.json", data: "{prompt: '$a', completion: '$b'}\n", flag: "--format text", flags: Options{Format: Text}},
		"columns":            {file: "a.jsonl", data: "{\"ask\":\"$a\",\"reply\":{\"x\":[\"$b\"]}}\n{\"ask\":\"c\"}\n", flag: "the first row has ask, reply", flags: Options{Fields: []string{"ask", "reply"}}},
		"columns of a table": {file: "a.csv", data: "ask;reply\n$a;$b\n", flag: "the columns are ask, reply", flags: Options{Fields: []string{"ask", "reply"}}},
		"no line of names":   {file: "a.csv", data: "x,y\n$a,$b\n", flag: "the columns are x, y", flags: Options{Fields: []string{"x", "y"}}},
		"compressed twice":   {file: "a.gz", needs: "gzip", make: "printf '%s\\n%s\\n' '" + say("a") + "' '" + say("b") + "' | gzip | gzip > a.gz"},
		"a table twice":      {file: "a.csv.gz", needs: "gzip bzip2", make: "printf 'ask,completion\\n%s,%s\\n' '" + say("a") + "' '" + say("b") + "' | gzip | bzip2 > a.csv.gz", flags: Options{Fields: []string{"ask", "completion"}}},
		"a pickle of rows":   {file: "a.pkl", needs: "python3", make: `python3 -c 'import pickle; pickle.dump([{"prompt": "` + say("a") + `", "x": {1, 2}}, {"completion": "` + say("b") + `"}], open("a.pkl", "wb"))'`},
		"an old pickle":      {file: "a.pickle", needs: "python3", make: `python3 -c 'import pickle; pickle.dump({"prompt": "` + say("a") + `", "completion": "` + say("b") + `"}, open("a.pickle", "wb"), 0)'`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, program := range append(strings.Fields(c.needs), "sh") {
				if _, err := exec.LookPath(program); err != nil {
					t.Skip(err)
				}
			}
			dir := t.TempDir()
			run := func(command string) {
				cmd := exec.Command("sh", "-c", command)
				cmd.Dir = dir
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v, %s", command, err, out)
				}
			}
			path := filepath.Join(dir, c.file)
			if err := os.WriteFile(path, []byte(fill(c.data)), 0o600); err != nil {
				t.Fatal(err)
			}
			if c.make != "" {
				os.Remove(path)
				run(c.make)
			}
			_, _, err := Find([]string{path}, nil, Options{})
			if err == nil {
				t.Fatal("no error")
			}
			command := ""
			if found := regexp.MustCompile("`([^`]+)`").FindStringSubmatch(err.Error()); found != nil {
				command = found[1]
			}
			switch {
			case c.flag != "":
				if command = ""; !strings.Contains(err.Error(), c.flag) {
					t.Fatalf("%v", err)
				}
			case strings.HasPrefix(command, "iconv"):
				command += " FILE > FILE.txt"
			}
			if command != "" {
				run(strings.ReplaceAll(command, "FILE", c.file))
				os.Remove(path)
			}
			inputs, _, err := Find([]string{dir + "/*"}, nil, c.flags)
			if err != nil {
				t.Fatal(err)
			}
			all := allTexts(t, inputs)
			for _, text := range []string{say("a"), say("b")} {
				if !strings.Contains(all, text) {
					t.Errorf("%s: %q is not read: %q", command, text, all)
				}
			}
		})
	}
}

// allTexts returns the texts of inputs, and checks that none is unread.
func allTexts(t *testing.T, inputs []Input) string {
	t.Helper()
	var all []string
	for i := range inputs {
		in := &inputs[i]
		if in.Format != Text {
			texts, bad, table := accountOf(t, in)
			if len(bad) > 0 || table.Unread > 0 {
				t.Errorf("%s: %q, %d bytes are unread", in.Path, bad, table.Unread)
			}
			all = append(all, texts...)
			continue
		}
		f, err := in.Open()
		if err != nil {
			t.Fatal(err)
		}
		text := new(strings.Builder)
		if _, err := io.Copy(text, f); err != nil || f.Broken() > 0 {
			t.Errorf("%s: %v, %d bytes are broken", in.Path, err, f.Broken())
		}
		f.Close()
		all = append(all, text.String())
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}
