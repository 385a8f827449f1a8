package corpus

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestDatasetInfo obeys the names that LLaMA-Factory's description gives to files of its
// folder, and names the data sets that are elsewhere.
func TestDatasetInfo(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"dataset_info.json": `{
 "pairs": {"file_name": "pairs.json", "columns": {"prompt": "q text", "query": "more", "response": "Reply", "history": "before", "system": "setup", "tools": "kit"}},
 "talks": {"file_name": "sub/talks.jsonl", "formatting": "sharegpt", "ranking": true, "columns": {"messages": "talk", "chosen": "good", "rejected": "bad"},
  "tags": {"role_tag": "who", "content_tag": "what", "user_tag": "Kundin", "assistant_tag": "Agent", "system_tag": "Regie"}},
 "table": {"file_name": "table.csv", "columns": {"prompt": "frage", "response": "antwort"}},
 "elsewhere": {"hf_hub_url": "x/y"},
 "gone": {"file_name": "gone.json"},
 "odd": 7
}`,
		"pairs.json":      fill(`[{"q text":"$a","more":"$b","Reply":"$c","before":[["$d","$e"]],"setup":"$s","kit":"$t","note":"x"}]`),
		"sub/talks.jsonl": fill(`{"talk":[{"who":"Regie","what":"$s"},{"who":"Kundin","what":"$f"},{"who":"Agent","what":"$g"}],"good":{"who":"Agent","what":"$h"},"bad":{"who":"Agent","what":"$i"}}` + "\n"),
		"table.csv":       fill("frage,antwort\nkurz,$j\n"),
		"other.jsonl":     fill(`{"talk":[{"who":"Regie","what":"$u"}],"prompt":"$k"}` + "\n"),
	}
	dir := folder(t, files)
	members := []string{}
	for _, name := range []string{"pairs.json", "sub/talks.jsonl", "table.csv", "other.jsonl", "dataset_info.json"} {
		members = append(members, "data/"+name, files[name])
	}
	packed := archives(t, members...)
	arguments := [][]string{{dir}}
	for name := range packed {
		arguments = append(arguments, []string{filepath.Join(folder(t, packed), name)})
	}
	for _, args := range append(arguments, []string{filepath.Join(dir, "pairs.json"), filepath.Join(dir, "sub", "talks.jsonl"), filepath.Join(dir, "table.csv"), filepath.Join(dir, "other.jsonl")}) {
		inputs, skipped, err := Find(args, nil, Options{})
		if err != nil || len(inputs) != 4 {
			t.Fatalf("%d inputs, %v", len(inputs), err)
		}
		if args[0] == dir && (len(skipped) != 1 || !strings.HasSuffix(skipped[0].Reason, "; not in the folder: elsewhere, gone, odd")) {
			t.Errorf("skipped %+v", skipped)
		}
		var all string
		unread := uint64(0)
		for i := range inputs {
			texts, bad, table := accountOf(t, &inputs[i])
			all += strings.Join(texts, "\n") + "\n"
			unread += table.Unread
			if len(bad) > 0 {
				t.Errorf("%s: %q", inputs[i].Path, bad)
			}
		}
		for name := 'a'; name <= 'u'; name++ {
			if has, want := strings.Count(all, say(string(name))), name <= 'k'; has > 0 != want || has > 1 {
				t.Errorf("%c is read %d times", name, has)
			}
		}
		if want := uint64(len(say("u"))); unread != want {
			t.Errorf("%d bytes are unread, want %d", unread, want)
		}
	}
}

// TestBrokenDatasetInfo reads files beside a description that is none.
func TestBrokenDatasetInfo(t *testing.T) {
	t.Parallel()
	for _, info := range []string{"", "[]", "{", `{"a":{"file_name":["a.jsonl"]}}`, `{"a":{"file_name":"a.jsonl","columns":7}}`, `{"a":{"file_name":"../a.jsonl","columns":{"prompt":"x"}}}`} {
		dir := folder(t, map[string]string{"dataset_info.json": info, "a.jsonl": fill(`{"prompt":"$a"}` + "\n")})
		inputs, _, err := Find([]string{filepath.Join(dir, "a.jsonl")}, nil, Options{})
		if err != nil || len(inputs) != 1 || inputs[0].Named() {
			t.Errorf("%s: %v, %v", info, inputs, err)
		}
	}
}
