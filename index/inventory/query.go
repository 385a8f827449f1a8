package inventory

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"noecho/index/corpus"
	"noecho/index/identify"
	"noecho/ngram"
)

// TextKind is the kind of an item that is a passage of text.
const TextKind = "text"

// Item is one thing that is asked for. Its text is secret: no error repeats it.
type Item struct {
	Kind string // of package identify, the name of a pattern, NameKind, AttributeKind or TextKind
	Text string
	Weak bool // common: counts only in rows that have another item

	forms []identify.Form // under which an inventory may have it
	usual bool            // a recogniser finds it wherever it is written like this
}

// Query is everything that is known of one person, or a passage.
type Query struct{ Items []Item }

// plainKinds are the members of a query file, and the flags, that take a value each.
var plainKinds = []string{identify.Email, identify.Phone, identify.IBAN, identify.Card, identify.SSN, identify.Key, NameKind, TextKind}

// Add adds an item.
func (q *Query) Add(kind, text string) error {
	it := Item{Kind: kind, Text: strings.TrimSpace(text), usual: true}
	if it.Text == "" {
		return fmt.Errorf("the %s that is asked for is empty", kind)
	}
	switch kind {
	case TextKind:
	case NameKind, AttributeKind:
		words := Words(it.Text)
		if len(words) == 0 {
			return fmt.Errorf("the %s that is asked for has no words", kind)
		}
		it.forms = []identify.Form{{Kind: kind, Text: WordsForm(kind, words), Sure: kind == AttributeKind || len(words) > 1}}
	default:
		it.forms = identify.Asked(kind, it.Text)
		if slices.Contains(identify.Kinds(), kind) && kind != identify.Phone {
			found, _, ok := identify.Whole(it.Text)
			it.usual = ok && found == kind
		}
	}
	q.Items = append(q.Items, it)
	return nil
}

// AddSubject adds all that a list of people has about one of them.
func (q *Query) AddSubject(list []corpus.Subject, id string) error {
	at, ok := slices.BinarySearchFunc(list, id, func(s corpus.Subject, id string) int { return cmp.Compare(s.ID, id) })
	if !ok {
		return errors.New("the list of people has no such id")
	}
	for _, a := range list[at].Attributes {
		kind, ok := AttributeKindOf(a)
		if !ok {
			if kind, _, ok = identify.Whole(a.Value); !ok {
				kind = identify.Phone
			}
		}
		if err := q.Add(kind, a.Value); err != nil {
			continue // an attribute without letters and digits
		}
		it := &q.Items[len(q.Items)-1]
		it.Weak = (kind == NameKind || kind == AttributeKind) && a.Weak(len(Words(a.Value)))
	}
	if len(q.Items) == 0 {
		return errors.New("the list of people has nothing to look for about this id")
	}
	return nil
}

// queryFile is the JSON of a query: for each kind a value or a list of them, below "id" for
// each kind of one's own, and the ids of people of a list.
type queryFile map[string]json.RawMessage

// ReadQuery reads a query file. It returns the query, and the ids of people to look up in a
// list of subjects. No error repeats a value.
func ReadQuery(r io.Reader) (q *Query, subjects []string, err error) {
	b, err := io.ReadAll(io.LimitReader(r, 16<<20))
	if err != nil {
		return nil, nil, errors.New("the query cannot be read")
	}
	var file queryFile
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, nil, errors.New(`the query is not a JSON object such as {"email":"…","phone":["…","…"],"id":{"order":"…"}}`)
	}
	q = new(Query)
	for name, raw := range file {
		switch {
		case name == "subject":
			subjects, err = values(name, raw)
		case name == "id":
			err = q.addOwn(raw)
		case slices.Contains(plainKinds, name):
			err = q.addAll(name, raw)
		default:
			err = fmt.Errorf("the query has a member that is not known: use %s, id and subject", strings.Join(plainKinds, ", "))
		}
		if err != nil {
			return nil, nil, err
		}
	}
	slices.SortStableFunc(q.Items, func(a, b Item) int { return cmp.Compare(a.Kind, b.Kind) })
	return q, subjects, nil
}

func (q *Query) addAll(kind string, raw json.RawMessage) error {
	texts, err := values(kind, raw)
	for _, text := range texts {
		if err = q.Add(kind, text); err != nil {
			break
		}
	}
	return err
}

// addOwn adds identifiers of one's own kinds.
func (q *Query) addOwn(raw json.RawMessage) error {
	var own map[string]json.RawMessage
	if err := json.Unmarshal(raw, &own); err != nil {
		return errors.New(`id of the query is not an object such as {"order":"…"}`)
	}
	for kind, raw := range own {
		if err := q.addAll(kind, raw); err != nil {
			return err
		}
	}
	return nil
}

// values reads a string or a list of strings.
func values(name string, raw json.RawMessage) ([]string, error) {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}, nil
	}
	var all []string
	if json.Unmarshal(raw, &all) == nil {
		return all, nil
	}
	return nil, fmt.Errorf("a member of the query is neither a text nor a list of texts: see %s", name)
}

// phrases returns the phrases by which a text is searched for the items; their ids are the
// numbers of the items.
func (q *Query) phrases() *Phrases {
	p := new(Phrases)
	s := ngram.NewScanner(suite())
	for i, it := range q.Items {
		switch it.Kind {
		case TextKind:
			all := hashes(s, it.Text)
			n := min(len(all), ngram.DefaultN)
			for ; n > 0 && len(all) >= n; all = all[1:] {
				p.Add(all[:n], i)
			}
		case NameKind, AttributeKind:
			all := hashes(s, it.Text)
			for _, order := range Orders(it.Kind, all[:min(len(all), MostWords)]) {
				p.Add(order, i)
			}
		default:
			for _, spelling := range identify.Spellings(it.Kind, it.Text) {
				all := hashes(s, spelling)
				p.Add(all[:min(len(all), MostWords)], i)
			}
		}
	}
	return p
}
