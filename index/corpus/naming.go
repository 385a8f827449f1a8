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
	var entries map[string]json.RawMessage
	if err != nil || json.Unmarshal(text, &entries) != nil {
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
	below := filepath.Base(path)
	for folder, depth := filepath.Dir(path), 0; depth < 3; depth++ {
		if _, ok := i[folder]; !ok {
			i[folder] = readInfo(folder)
		}
		n := &naming{row: map[string]use{}, part: map[string]use{}, roles: map[string]string{}}
		for _, e := range i[folder] {
			if file := filepath.ToSlash(filepath.Clean(e.File)); e.File != "" && (file == below || strings.HasPrefix(below, file+"/")) {
				n.add(e)
			}
		}
		if len(n.row)+len(n.part)+len(n.roles) > 0 {
			return n
		}
		below = filepath.Base(folder) + "/" + below
		folder = filepath.Dir(folder)
	}
	return nil
}

// add adds the names of a data set.
func (n *naming) add(e infoEntry) {
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
