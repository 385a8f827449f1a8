package corpus

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// naming are the names that the data set information of LLaMA-Factory gives to the columns, the
// members of messages and the roles of one file.
type naming struct {
	row, part map[string]use    // of columns, and of members of messages
	roles     map[string]string // the usual name of a role, by its own in small letters
}

// datasetInfo is the file that describes the data sets of a folder.
const datasetInfo = "dataset_info.json"

// namesColumns is the reason for reading a file that the data set information names.
const namesColumns = datasetInfo + " names its columns"

// mostInfo bounds the bytes of such a file.
const mostInfo = 4 << 20

// infoEntry describes one data set.
type infoEntry struct {
	File    string            `json:"file_name"`
	Columns map[string]string `json:"columns"`
	Tags    map[string]string `json:"tags"`
}

// readInfo returns the data sets that the file in a folder describes; nil: it has none.
func readInfo(folder string) map[string]infoEntry {
	path := filepath.Join(folder, datasetInfo)
	st, err := os.Stat(path)
	if err != nil || st.Size() > mostInfo || !st.Mode().IsRegular() {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return parseInfo(text)
}

// parseInfo returns the data sets that a file describes; nil: it has none.
func parseInfo(text []byte) map[string]infoEntry {
	var entries map[string]json.RawMessage
	if json.Unmarshal(text, &entries) != nil {
		return nil
	}
	info := map[string]infoEntry{}
	for name, raw := range entries {
		var e infoEntry
		if json.Unmarshal(raw, &e) != nil {
			e = infoEntry{} // absent names it
		}
		info[name] = e
	}
	return info
}

// infos are the data sets that folders describe, by folder.
type infos map[string]map[string]infoEntry

// naming returns the names of a file, as the folder that contains it or one above it
// describes them; nil: nothing but the usual names.
func (i infos) naming(path string) *naming {
	for folder, depth := filepath.Dir(path), 0; depth < infoDepth; depth++ {
		if _, ok := i[folder]; !ok {
			i[folder] = readInfo(folder)
		}
		folder = filepath.Dir(folder)
	}
	return i.below(path)
}

// infoDepth is how many folders above a file may describe it.
const infoDepth = 3

// below is naming for descriptions that were read already.
func (i infos) below(path string) *naming {
	if len(i) == 0 {
		return nil
	}
	below := filepath.Base(path)
	for folder, depth := filepath.Dir(path), 0; depth < infoDepth; depth++ {
		var n *naming
		for _, e := range i[folder] {
			if file := filepath.ToSlash(filepath.Clean(e.File)); e.File != "" && (file == below || strings.HasPrefix(below, file+"/")) {
				n = n.add(e)
			}
		}
		if n != nil {
			return n
		}
		below = filepath.Base(folder) + "/" + below
		folder = filepath.Dir(folder)
	}
	return nil
}

// add returns n, which may be nil, with the names of a data set; nil if there are none.
func (n *naming) add(e infoEntry) *naming {
	if n == nil {
		n = &naming{row: map[string]use{}, part: map[string]use{}, roles: map[string]string{}}
	}
	for key, column := range e.Columns {
		switch {
		case column == "" || slices.Contains([]string{"kto_tag", "images", "videos", "audios"}, key):
		case key == "system":
			n.row[column] = useSystem
		case key == "tools":
			n.row[column] = useTools
		default:
			n.row[column] = useTurns
		}
	}
	for key, tag := range e.Tags {
		switch role, isRole := strings.CutSuffix(key, "_tag"); {
		case tag == "" || !isRole:
		case role == "role":
			n.row[tag], n.part[tag] = useRole, useRole
		case role == "content":
			n.row[tag], n.part[tag] = useParts, useParts
		case role == "observation" || role == "function" || role == "user" || role == "assistant" || role == "system":
			n.roles[strings.ToLower(tag)] = speaker(role)
		}
	}
	if len(n.row)+len(n.part)+len(n.roles) == 0 {
		return nil
	}
	return n
}

// uses returns the members that the walk of a row knows.
func (o Options) uses() uses {
	u := newUses()
	if o.naming != nil {
		maps.Copy(u.row, o.naming.row)
		maps.Copy(u.part, o.naming.part)
	}
	return u
}

// absent names the data sets that a folder describes and does not contain.
func absent(folder string) string {
	var names []string
	info := readInfo(folder)
	for _, name := range slices.Sorted(maps.Keys(info)) {
		_, err := os.Stat(filepath.Join(folder, filepath.FromSlash(info[name].File)))
		if info[name].File != "" && err == nil {
			continue
		}
		if !isName(name) {
			name = "*"
		}
		if names = append(names, name); len(names) == maxColumns {
			break
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("; not in the folder: %s", strings.Join(names, ", "))
}
