package govern

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// State is the state of a request.
type State string

// The states of a request.
const (
	Open    State = "open"
	Refused State = "refused"
	Purged  State = "purged" // all is done but the receipt
	Closed  State = "closed"
)

// Request is a request of a person. It contains personal data: the query, and reasons.
type Request struct {
	ID       string          `json:"id"` // ULID
	Law      string          `json:"law"`
	Kind     string          `json:"kind"`
	Received Date            `json:"received"`
	State    State           `json:"state"`
	Clock    Clock           `json:"clock"`
	Extended bool            `json:"extended,omitempty"`
	Query    json.RawMessage `json:"query,omitempty"`    // whom the request is about
	Models   []string        `json:"models,omitempty"`   // that were trained on the rows: names or digests
	Builds   []string        `json:"builds,omitempty"`   // build ids of the indexes that have the rows
	Files    []string        `json:"files,omitempty"`    // suppression indexes that have the person: absolute paths
	Excluded json.RawMessage `json:"excluded,omitempty"` // keyed hashes of the rows, for builds that must not have them
	Purge    *Purge          `json:"purge,omitempty"`    // nil: none has begun
	Events   []Event         `json:"events"`

	before []byte // the file from which it was read; nil: it is new
}

// Event is a step that was taken.
type Event struct {
	Time   time.Time         `json:"time"`
	Type   string            `json:"type"` // opened, extended, refused, suppressed, excluded, purging, purged, closed
	Ground string            `json:"ground,omitempty"`
	Reason string            `json:"reason,omitempty"` // for people
	Counts map[string]uint64 `json:"counts,omitempty"`
	Logged bool              `json:"logged,omitempty"` // the audit log has an entry about it
}

// Purge is the end of an erasure: the checks that passed before anything was deleted.
type Purge struct {
	Index      string   `json:"index"` // build id
	Model      string   `json:"model"` // digest
	Checks     []Check  `json:"checks"`
	Suppressed []string `json:"suppressed,omitempty"` // build ids of the suppression indexes that had the person
	Salt       []byte   `json:"salt,omitempty"`       // gone when the person has the receipt
	C          []string `json:"c,omitempty"`          // commitments
}

// New returns a request that was received on a day. due is its date under a contract.
func New(id, law, kind string, received, due Date, now time.Time) (*Request, error) {
	rule, err := RuleOf(law, kind)
	if err != nil {
		return nil, err
	}
	r := &Request{ID: id, Law: law, Kind: kind, Received: received, State: Open, Clock: rule.Clock(received)}
	switch {
	case law == Contract && due == "":
		return nil, errors.New("a request under a contract needs its date")
	case law != Contract && due != "":
		return nil, fmt.Errorf("the date of a request under %s follows from the table of laws: leave it out", law)
	case due != "":
		r.Clock = Clock{Due: due}
	}
	if received > DateOf(now) {
		return nil, fmt.Errorf("the request was received on %s, which is still to come", received)
	}
	r.add(Event{Time: now, Type: "opened"})
	return r, nil
}

func (r *Request) add(e Event) {
	e.Time = e.Time.UTC().Truncate(time.Second)
	r.Events = append(r.Events, e)
}

// Extend extends the term, once, and not behind the last day on which the person can be told.
func (r *Request) Extend(reason string, now time.Time) error {
	rule, err := RuleOf(r.Law, r.Kind)
	switch {
	case err != nil:
		return err
	case r.State != Open:
		return fmt.Errorf("the request is %s", r.State)
	case r.Extended:
		return errors.New("the term was extended already, which the law allows once")
	case rule.Extended == (Term{}):
		return fmt.Errorf("the term of %s under %s cannot be extended", r.Kind, r.Law)
	case DateOf(now) > r.Clock.Tell:
		return fmt.Errorf("the person had to be told of the extension by %s", r.Clock.Tell)
	}
	r.Extended, r.Clock.Due = true, rule.Extended.After(r.Received)
	r.add(Event{Time: now, Type: "extended", Reason: reason})
	return nil
}

// Refuse ends a request without the step that it asks for.
func (r *Request) Refuse(ground, reason string, now time.Time) error {
	if r.State != Open {
		return fmt.Errorf("the request is %s", r.State)
	}
	r.State = Refused
	r.add(Event{Time: now, Type: "refused", Ground: ground, Reason: reason})
	return nil
}

// Record adds a step that needs no change of the dates.
func (r *Request) Record(step string, counts map[string]uint64, now time.Time) {
	r.add(Event{Time: now, Type: step, Counts: counts})
}

// Has reports whether a step was taken.
func (r *Request) Has(step string) bool {
	return slices.ContainsFunc(r.Events, func(e Event) bool { return e.Type == step })
}

// Trained adds a model that was trained on the rows, and the build id of an index that has them.
// Either may be empty.
func (r *Request) Trained(model, build string) {
	for _, one := range []struct {
		list *[]string
		name string
	}{{&r.Models, model}, {&r.Builds, build}} {
		if one.name != "" && !slices.Contains(*one.list, one.name) {
			*one.list = append(*one.list, one.name)
		}
	}
}

// Suppressed adds a suppression index that has the person.
func (r *Request) Suppressed(path string) {
	if !slices.Contains(r.Files, path) {
		r.Files = append(r.Files, path)
	}
}

// Close ends a request whose receipt was handed over. Whom it is about, the salt and the hashes of
// the rows are forgotten.
func (r *Request) Close(now time.Time) error {
	if r.State != Purged {
		return fmt.Errorf("the request is %s", r.State)
	}
	r.State, r.Query, r.Files, r.Excluded, r.Purge.Salt = Closed, nil, nil, nil, nil
	r.add(Event{Time: now, Type: "closed"})
	return nil
}

// Late reports whether a request that is not answered is due within some days of a day, or was.
func (r *Request) Late(today Date, days int) bool {
	return (r.State == Open || r.State == Purged) && r.Clock.Due <= (Term{Days: days}).After(today)
}

// idForm is the form of the number of a request.
var idForm = regexp.MustCompile(`^[0-7][0-9A-HJKMNP-TV-Z]{25}$`)

// Ledger is a folder with a file for each request, which only its owner may read. A file is
// replaced when the new one is on disk, so that it always has the last complete step.
type Ledger struct{ dir string }

// OpenLedger opens a ledger, and makes its folder if there is none.
func OpenLedger(dir string) (*Ledger, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the ledger of requests: %w", err)
	}
	return &Ledger{dir}, nil
}

func (l *Ledger) path(id string) string { return filepath.Join(l.dir, id+".json") }

// Read reads a request.
func (l *Ledger) Read(id string) (*Request, error) {
	if !idForm.MatchString(id) {
		return nil, errors.New("the number of a request has 26 digits and capital letters, as erase open prints it")
	}
	b, err := os.ReadFile(l.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the ledger %s has no request %s", l.dir, id)
	}
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	r := new(Request)
	if err := json.Unmarshal(b, r); err != nil || r.ID != id || len(r.Events) == 0 {
		return nil, fmt.Errorf("%s is damaged: restore it from a backup", l.path(id))
	}
	r.before = b
	return r, nil
}

// All reads all requests, the one that is due first before the others.
func (l *Ledger) All() (all []*Request, err error) {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok || !idForm.MatchString(id) {
			continue
		}
		r, err := l.Read(id)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	slices.SortStableFunc(all, func(a, b *Request) int { return strings.Compare(string(a.Clock.Due), string(b.Clock.Due)) })
	return all, nil
}

// Write writes a request; when it returns without an error, the request is on disk. It is an
// error if another process wrote the request since it was read.
func (l *Ledger) Write(r *Request) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	text = append(text, '\n')
	path := l.path(r.ID)
	if err := l.replace(path, text, func() error {
		if now, err := os.ReadFile(path); !bytes.Equal(now, r.before) || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return errors.New("another command has written this request: run this one again")
		}
		return nil
	}); err != nil {
		return err
	}
	r.before = text
	return nil
}

// replace replaces a file, unless check has an error. When it returns without one, the file is on
// disk.
func (l *Ledger) replace(path string, text []byte, check func() error) error {
	// Of processes that were killed. Nobody else uses them, because a rename follows at once.
	if left, err := filepath.Glob(path + ".*.new"); err == nil {
		for _, name := range left {
			_ = os.Remove(name)
		}
	}
	f, err := os.CreateTemp(l.dir, filepath.Base(path)+".*.new") // mode 0600
	if err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		if err = check(); err == nil {
			err = os.Rename(f.Name(), path)
		}
	}
	if err != nil {
		return fmt.Errorf("write the ledger: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return l.sync()
}

// The files of a request beside its own, which are deleted when it is purged.
const (
	setSuffix  = ".set"     // the erase set: hashes of whatever the rows say
	partSuffix = ".nidx.gz" // the suppression index of this person alone
)

// SetPath returns the path of the erase set of a request.
func (l *Ledger) SetPath(id string) string { return filepath.Join(l.dir, id+setSuffix) }

// WriteSet writes the erase set of a request.
func (l *Ledger) WriteSet(id string, set []byte) error {
	return l.replace(l.SetPath(id), set, func() error { return nil })
}

// WritePart writes the suppression index of a person alone.
func (l *Ledger) WritePart(id string, part []byte) error {
	return l.replace(filepath.Join(l.dir, id+partSuffix), part, func() error { return nil })
}

// ReadPart reads the suppression index of a person alone.
func (l *Ledger) ReadPart(id string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(l.dir, id+partSuffix))
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return b, nil
}

// Parts returns the requests of which the ledger has the suppression index, in ascending order.
func (l *Ledger) Parts() (ids []string, err error) {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), partSuffix); ok && idForm.MatchString(id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// DeleteSet deletes the erase set of a request, if there is one.
func (l *Ledger) DeleteSet(id string) error { return l.remove(id + setSuffix) }

// DeletePart deletes the suppression index of a person alone, if there is one.
func (l *Ledger) DeletePart(id string) error { return l.remove(id + partSuffix) }

func (l *Ledger) remove(name string) error {
	if err := os.Remove(filepath.Join(l.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete from the ledger: %w", err)
	}
	return l.sync()
}

// sync makes a rename durable.
func (l *Ledger) sync() error {
	d, err := os.Open(l.dir)
	if err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	defer d.Close()
	// Some systems cannot sync a folder.
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) && !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("write the ledger: %w", err)
	}
	return nil
}
