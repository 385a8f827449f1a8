package audit

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// MaxEntry is the number of bytes that one entry may have.
const MaxEntry = 65_535

// The types of entry that noecho writes. Others may join.
const (
	IndexBuilt     = "index.built"
	IndexMerged    = "index.merged"
	IndexSigned    = "index.signed"
	InventoryBuilt = "inventory.built"
	ServeStart     = "serve.start"
	ServeStop      = "serve.stop"
	ServeReload    = "serve.reload"
	AlertsDigest   = "alerts.digest" // of the alert lines of an hour
	Gap            = "gap"           // entries that were lost before they were written
)

// Entry is one event. It has numbers, digests and ids and no other text, because nothing in
// the log can be taken back: a name or a reason belongs elsewhere, and its digest here.
//
// Its JSON is canonical (RFC 8785): sorted members, no space.
type Entry struct {
	Counts  map[string]uint64 `json:"counts,omitempty"`  // up to 2⁵³
	Digests map[string]string `json:"digests,omitempty"` // 16 to 128 hexadecimal digits, lower case
	ID      string            `json:"id,omitempty"`      // ULID of the event, if it has one
	IDs     map[string]string `json:"ids,omitempty"`     // ULIDs of other things
	States  map[string]string `json:"states,omitempty"`  // words of a fixed list
	Time    time.Time         `json:"time"`              // whole seconds, UTC
	Type    string            `json:"type"`              // such as index.built
	V       int               `json:"v"`                 // 1
	Version string            `json:"version,omitempty"` // of noecho
}

// The forms of names and values.
var (
	typeForm    = regexp.MustCompile(`^[a-z]{1,16}(\.[a-z]{1,16})?$`)
	nameForm    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
	digestForm  = regexp.MustCompile(`^([0-9a-f]{2}){8,64}$`)
	ulidForm    = regexp.MustCompile(`^[0-7][0-9A-HJKMNP-TV-Z]{25}$`)
	versionForm = regexp.MustCompile(`^[0-9A-Za-z.+-]{1,64}$`)
	states      = []string{
		"observe", "redact", "block", "applied", "failed",
		"gdpr", "ccpa", "hipaa", "contract", "access", "erasure", "objection", "withdrawal",
	}
)

// maxCount is the largest integer that every reader of JSON reads exactly.
const maxCount = 1 << 53

// Encode returns the entry as the log stores it, or an error that names the member which a
// log must not contain.
func (e Entry) Encode() ([]byte, error) {
	e.V, e.Time = 1, e.Time.UTC().Truncate(time.Second)
	if !typeForm.MatchString(e.Type) {
		return nil, fmt.Errorf("type %q of an audit entry: want words such as index.built", e.Type)
	}
	for _, group := range []struct {
		what   string
		values map[string]string
		fits   func(string) bool
		want   string
	}{
		{"digest", e.Digests, digestForm.MatchString, "16 to 128 hexadecimal digits"},
		{"id", e.IDs, ulidForm.MatchString, "a ULID"},
		{"state", e.States, func(s string) bool { return slices.Contains(states, s) }, "a word that audit entries know"},
	} {
		for name, value := range group.values {
			if !nameForm.MatchString(name) {
				return nil, fmt.Errorf("name %q of a %s of an audit entry: want lower-case letters", name, group.what)
			}
			if !group.fits(value) {
				return nil, fmt.Errorf("%s %q of an audit entry: want %s, because the log can never be cleaned of text", group.what, name, group.want)
			}
		}
	}
	for name, n := range e.Counts {
		if !nameForm.MatchString(name) || n > maxCount {
			return nil, fmt.Errorf("count %q of an audit entry: want a name of lower-case letters and a number up to 2^53", name)
		}
	}
	if e.ID != "" && !ulidForm.MatchString(e.ID) {
		return nil, fmt.Errorf("the id of an audit entry must be a ULID")
	}
	if e.Version != "" && !versionForm.MatchString(e.Version) {
		return nil, fmt.Errorf("version %q of an audit entry: want letters, digits and . + -", e.Version)
	}
	b, err := json.Marshal(e)
	if err == nil && len(b) > MaxEntry {
		err = fmt.Errorf("an audit entry of %d bytes, at most %d fit", len(b), MaxEntry)
	}
	return b, err
}

// Decode reads an entry. Members that only newer versions know are left out.
func Decode(record []byte) (Entry, error) {
	var e Entry
	err := json.Unmarshal(record, &e)
	return e, err
}
