package corpus

import (
	"bytes"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Files that are left out of folders: by the caller's patterns, and those that tell of
// the data without being a part of it.

// aside is the error of a file in a folder that is left out. Its text is the reason.
type aside string

func (a aside) Error() string { return string(a) }

// checkPatterns returns an error for a pattern that cannot match.
func checkPatterns(patterns []string) error {
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil || p == "" {
			return errors.New("pattern " + quote(p) + " is not valid: use *, ?, [a-z] and **")
		}
	}
	return nil
}

// matches reports whether a pattern matches a path below a folder, or a folder above it in
// that path. A pattern without a slash is one of names at any depth.
func matches(pattern, below string) bool {
	pattern = strings.TrimSuffix(pattern, "/")
	if !strings.Contains(pattern, "/") {
		pattern = "**/" + pattern
	}
	parts, names := strings.Split(strings.TrimPrefix(pattern, "/"), "/"), strings.Split(below, "/")
	for n := range names {
		if matchParts(parts, names[:n+1]) {
			return true
		}
	}
	return false
}

// The reasons for leaving out a file by a pattern, and for want of one.
const (
	excluded    = "left out by --exclude-path"
	notIncluded = "not named by --include-path"
)

// left says why the caller's patterns leave a file out; empty if they do not. The file has
// several paths if it is in an archive.
func (f *finder) left(below ...string) string {
	match := func(p string) bool {
		return slices.ContainsFunc(below, func(b string) bool { return matches(p, b) })
	}
	switch o := f.o; {
	case slices.ContainsFunc(o.ExcludePath, match):
		return excluded
	case len(o.IncludePath) > 0 && !slices.ContainsFunc(o.IncludePath, match):
		return notIncluded
	default:
		return ""
	}
}

// metadata says which known file without training text this is; empty if it is none.
func metadata(name string, head []byte) string {
	for _, m := range [...]struct{ name, member, is string }{
		{"dataset_infos.json", "", "a description of a Hugging Face dataset"},
		{"dataset_dict.json", `"splits"`, "a description of a Hugging Face dataset"},
		{"dataset_info.json", `"features"`, "a description of a Hugging Face dataset"},
		{"dataset_info.json", `"file_name"`, "a description of LLaMA-Factory's datasets"},
		{"dataset_info.json", `"hf_hub_url"`, "a description of LLaMA-Factory's datasets"},
		{"state.json", `"_data_files"`, "a description of a Hugging Face dataset"},
		{"index.json", `"shards"`, "an index of shards"},
	} {
		if name == m.name && bytes.Contains(head, []byte(m.member)) {
			return m.is
		}
	}
	if strings.EqualFold(name, "readme.md") && isCard(head) {
		return "a dataset card"
	}
	return ""
}

// isCard reports whether a text begins with the front matter of a dataset or model card.
func isCard(head []byte) bool {
	head = bytes.TrimPrefix(bytes.ReplaceAll(head[:min(len(head), 64<<10)], []byte("\r\n"), []byte("\n")), []byte(bom))
	matter, ok := bytes.CutPrefix(head, []byte("---\n"))
	matter, _, closed := bytes.Cut(matter, []byte("\n---"))
	if !ok || !closed {
		return false
	}
	for line := range bytes.SplitSeq(matter, []byte("\n")) {
		switch key, _, _ := bytes.Cut(line, []byte(":")); string(key) {
		case "license", "dataset_info", "configs", "task_categories", "task_ids", "size_categories", "pretty_name", "annotations_creators":
			return true
		}
	}
	return false
}

// isCache reports whether a folder is the part of a cache of the Hugging Face hub to which
// the links in its snapshots lead.
func isCache(folder string) bool {
	switch filepath.Base(folder) {
	case "blobs", "refs":
		st, err := os.Stat(filepath.Join(filepath.Dir(folder), "snapshots"))
		return err == nil && st.IsDir()
	default:
		return false
	}
}
