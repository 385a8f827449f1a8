package corpus

import (
	"cmp"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// glob returns the paths that match a pattern, in order. A pattern is one of
// [filepath.Glob], and ** matches any number of folders that are not hidden.
func glob(pattern string) ([]string, error) {
	parts := strings.Split(filepath.ToSlash(pattern), "/")
	first := slices.Index(parts, "**")
	if first < 0 {
		return filepath.Glob(pattern)
	}
	for _, p := range parts {
		if _, err := filepath.Match(p, ""); err != nil {
			return nil, err
		}
	}
	// The part before ** may be a pattern itself.
	roots := []string{"."}
	if first > 0 {
		var err error
		if roots, err = filepath.Glob(filepath.FromSlash(cmp.Or(strings.Join(parts[:first], "/"), "/"))); err != nil {
			return nil, err
		}
	}
	var paths []string
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, _ := filepath.Rel(root, path)
			if rel != "." && strings.HasPrefix(d.Name(), ".") && d.IsDir() {
				return fs.SkipDir
			}
			if !d.IsDir() && matchParts(parts[first:], strings.Split(filepath.ToSlash(rel), "/")) {
				paths = append(paths, path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

// matchParts matches the names of a path to those of a pattern.
func matchParts(pattern, names []string) bool {
	for ; len(pattern) > 0; pattern, names = pattern[1:], names[1:] {
		if pattern[0] == "**" {
			for ; len(pattern) > 1 && pattern[1] == "**"; pattern = pattern[1:] {
				// Several in a row mean the same as one.
			}
			for i := 0; ; i++ {
				if matchParts(pattern[1:], names[i:]) {
					return true
				}
				if i == len(names) || strings.HasPrefix(names[i], ".") {
					return false
				}
			}
		}
		if len(names) == 0 {
			return false
		}
		hidden := strings.HasPrefix(names[0], ".") && !strings.HasPrefix(pattern[0], ".")
		if ok, _ := filepath.Match(pattern[0], names[0]); !ok || hidden {
			return false
		}
	}
	return len(names) == 0
}
