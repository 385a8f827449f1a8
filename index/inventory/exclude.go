package inventory

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"noecho/index/identify"
)

// Lists of rows to leave out. Somebody's rows were taken out of the training files; a backup of
// these files may bring them back. So the rows and identifiers of a request are kept under the
// key of the inventory, and a build that meets one of them is refused. A list is JSON:
//
//	{"list":"noecho rows to leave out","v":1,"key":"91c7…","requests":{"01JD…":{"rows":["5a0f…"],"values":["77e2…"],"files":["e3b0…"]}}}
//
// key is the id of the inventory's key. It contains no text and no name.

// ExclusionHead is at the beginning of every list of rows to leave out.
const ExclusionHead = `{"list":"noecho rows to leave out",`

// MarshalText implements [encoding.TextMarshaler].
func (s Sum) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, s[:]), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Sum) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != sumLen {
		return errors.New("a keyed hash has 32 hexadecimal digits")
	}
	_, err := hex.Decode(s[:], text)
	return err
}

// Exclusion has the rows of one request, and the identifiers that no row may have.
type Exclusion struct {
	Rows   []Sum    `json:"rows"`   // ascending
	Values []Sum    `json:"values"` // ascending; of identifiers, not of names, which several people may have
	Files  []string `json:"files"`  // hex SHA-256 of the files with these rows, ascending
}

// Exclusions are the rows of several requests, under the key of one inventory.
type Exclusions struct {
	List     string                `json:"list"`
	V        int                   `json:"v"`
	Key      Sum                   `json:"key"` // id of the key
	Requests map[string]*Exclusion `json:"requests"`

	rows, values map[Sum]string // request of each; set by Unlock
}

// ReadExclusions reads a list of rows to leave out.
func ReadExclusions(r io.Reader) (*Exclusions, error) {
	e := new(Exclusions)
	d := json.NewDecoder(r)
	if err := d.Decode(e); err != nil || !strings.HasPrefix(ExclusionHead, `{"list":"`+e.List+`"`) || e.V != 1 {
		return nil, errors.New("it is no list of rows to leave out that this version reads")
	}
	for _, one := range e.Requests {
		if one == nil {
			return nil, errors.New("a request of the list has no rows")
		}
	}
	return e, nil
}

// Add adds rows of a request, under the key of that id. An error says that the list has another
// key.
func (e *Exclusions) Add(key Sum, request string, rows *Exclusion) error {
	if len(e.Requests) == 0 {
		_, list, _ := strings.Cut(strings.TrimSuffix(ExclusionHead, `",`), `:"`)
		*e = Exclusions{List: list, V: 1, Key: key, Requests: map[string]*Exclusion{}}
	}
	if !same(e.Key, key) {
		return errors.New("the list was made with the key of another inventory: make a list for each key")
	}
	if e.Requests[request] == nil {
		e.Requests[request] = &Exclusion{Rows: []Sum{}, Values: []Sum{}, Files: []string{}}
	}
	e.Requests[request].Join(rows)
	return nil
}

// Join adds the rows, identifiers and files of another search for the same request.
func (e *Exclusion) Join(o *Exclusion) {
	e.Rows, e.Values, e.Files = append(e.Rows, o.Rows...), append(e.Values, o.Values...), append(e.Files, o.Files...)
	e.sort()
}

// Unlock prepares the list for questions. The error of another key matches [ErrKey].
func (e *Exclusions) Unlock(k *Key) error {
	if !same(e.Key, k.ID()) {
		return fmt.Errorf("%w than that of the list of rows to leave out", ErrKey)
	}
	e.rows, e.values = map[Sum]string{}, map[Sum]string{}
	for _, request := range slices.Sorted(maps.Keys(e.Requests)) {
		for _, s := range e.Requests[request].Rows {
			e.rows[s] = request
		}
		for _, s := range e.Requests[request].Values {
			e.values[s] = request
		}
	}
	return nil
}

// Row returns the request whose row this is, or whose identifier it has; empty: none. Safe for
// concurrent use once the list is unlocked.
func (e *Exclusions) Row(row Sum, found []Posting) string {
	if request := e.rows[row]; request != "" {
		return request
	}
	for _, p := range found {
		if request := e.values[p.Value]; request != "" {
			return request
		}
	}
	return ""
}

// ExcludedError says that the inputs of a build have rows that were to be left out.
type ExcludedError struct {
	Rows     uint64
	Places   []string // of the first rows: FILE:LINE
	Requests []string // sorted
}

func (e *ExcludedError) Error() string {
	more := ""
	if n := e.Rows - uint64(len(e.Places)); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("%d rows of erased records are in the training files, of request %s: %s%s: take them out, and build again",
		e.Rows, strings.Join(e.Requests, ", "), strings.Join(e.Places, ", "), more)
}

// Exclusion returns the rows of this inventory among the findings, with the files that have
// them, and the identifiers of the query.
func (f *File) Exclusion(q *Query, findings []Finding) (*Exclusion, error) {
	e := &Exclusion{Rows: []Sum{}, Values: []Sum{}, Files: []string{}}
	sources := map[string]bool{}
	for _, one := range findings {
		var row Sum
		if one.Row == "" || row.UnmarshalText([]byte(one.Row)) != nil {
			continue
		}
		e.Rows = append(e.Rows, row)
		sources[one.File] = true
	}
	for _, it := range q.Items {
		for _, form := range it.forms {
			if form.Sure && !it.Weak && it.Kind != NameKind && it.Kind != AttributeKind {
				e.Values = append(e.Values, f.values.Value(form.Kind, form.Text))
			}
		}
	}
	files, err := f.Files()
	if err != nil {
		return nil, err
	}
	err = f.eachSource(func(_ uint64, s Source) error {
		if sources[s.Name] {
			e.Files = append(e.Files, hex.EncodeToString(files[s.File].Digest[:]))
		}
		return nil
	})
	e.sort()
	return e, err
}

// sort makes the lists ascending, without repetitions.
func (e *Exclusion) sort() {
	less := func(a, b Sum) int { return strings.Compare(string(a[:]), string(b[:])) }
	slices.SortFunc(e.Rows, less)
	slices.SortFunc(e.Values, less)
	slices.Sort(e.Files)
	e.Rows, e.Values, e.Files = slices.Compact(e.Rows), slices.Compact(e.Values), slices.Compact(e.Files)
}

// Opens reports whether the inventory has the key of a list.
func (f *File) Opens(e *Exclusions) bool { return same(f.keyID, e.Key) }

// Left is what an inventory still has of the rows of a request.
type Left struct {
	Rows   []string // places of the rows, FILE:LINE
	Values int      // identifiers that rows have
	Files  []string // names of the files that had such rows, and are as they were
}

// Left looks for the rows, identifiers and files of a request. The inventory must have the key
// of the list.
func (f *File) Left(e *Exclusion) (*Left, error) {
	rows, left := map[Sum]bool{}, new(Left)
	for _, s := range e.Rows {
		rows[s] = true
	}
	err := f.parts[rowsKind].each(func(i uint64, b []byte) error {
		if len(b) < sumLen || !rows[Sum(b)] {
			return nil
		}
		r, err := f.parseRow(b, i)
		if err != nil {
			return err
		}
		src, err := f.source(uint64(r.Source))
		left.Rows = append(left.Rows, recordName("", src.Name, r.Line))
		return err
	})
	for _, v := range e.Values {
		if err != nil {
			break
		}
		var found bool
		if found, err = f.has(v); found {
			left.Values++
		}
	}
	files, filesErr := f.Files()
	for _, d := range files {
		if slices.Contains(e.Files, hex.EncodeToString(d.Digest[:])) {
			left.Files = append(left.Files, d.Name)
		}
	}
	return left, cmp.Or(err, filesErr)
}

// has reports whether a row has a value.
func (f *File) has(want Sum) (bool, error) {
	rows, _, err := f.rowsOf(want)
	return len(rows) > 0, err
}

// Committed returns the items of the query in the form that a receipt commits to: one text for
// each identifier, name or attribute, however it is written. A passage has none.
func (q *Query) Committed() (all []identify.Form) {
	for _, it := range q.Items {
		if len(it.forms) > 0 {
			all = append(all, it.forms[0])
		}
	}
	return all
}
