package console

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"noecho/proxy/alert"
)

// maxLookup bounds the text of a look-up, in bytes.
const maxLookup = 64 << 10

// cameOut counts the answers that had a finding.
type cameOut struct {
	Answers  uint64 `json:"answers"`
	Withheld uint64 `json:"withheld"`
	Passed   uint64 `json:"passed"`
}

// foundView is a finding of a look-up. It has no text.
type foundView struct {
	Kind        string       `json:"kind"`
	Identifier  string       `json:"identifier"`
	What        string       `json:"what"`
	Words       int          `json:"words"`
	Lane        string       `json:"lane"`
	RecordCount int          `json:"record_count"`
	Records     []recordView `json:"records"`
	CameOut     cameOut      `json:"came_out"`
}

// answerLookup says whether the indexes know a text. The text is forgotten when the answer is made.
func answerLookup(c *Console, w http.ResponseWriter, r *request) (any, error) {
	if c.opts.Look == nil {
		return nil, &fault{http.StatusConflict, errors.New("there is no index here: start noecho console with --index")}
	}
	var body struct{ Text string }
	if err := readBody(w, r.Request, maxLookup, &body); err != nil {
		return nil, err
	}
	if strings.TrimSpace(body.Text) == "" {
		return nil, errors.New("type a text")
	}
	if wait, ok := c.access.spend("look "+r.who.User+" "+c.access.client(r.Request), lookups); !ok {
		tooMany(w, wait)
		return nil, nil
	}
	c.recordAccess(r, alert.LookedUp, "look-up in the index")
	looked, err := c.opts.Look(body.Text)
	if err != nil {
		return nil, &fault{http.StatusServiceUnavailable, err}
	}
	out := struct {
		Known      known       `json:"known"`
		Result     string      `json:"result"`
		LeastWords int         `json:"least_words"`
		Words      int         `json:"words"`
		Indexes    []string    `json:"indexes"`
		Findings   []foundView `json:"findings"`
	}{Result: "not_found", LeastWords: looked.LeastWords, Words: looked.Words, Indexes: notNil(looked.Indexes), Findings: []foundView{}}
	switch {
	case len(looked.Findings) > 0:
		out.Result = "found"
	case looked.Words < looked.LeastWords && !strings.ContainsAny(body.Text, "@0123456789"):
		out.Result = "too_short"
	}
	c.store.mu.RLock()
	defer c.store.mu.RUnlock()
	out.Known = c.known()
	for i := range looked.Findings {
		out.Findings = append(out.Findings, found(c, r, &looked.Findings[i]))
	}
	return out, nil
}

// found describes a finding, and counts the answers that the same text or person was found in.
// The caller has locked the store.
func found(c *Console, r *request, ev *alert.Event) foundView {
	s := c.store
	v := foundView{
		Kind: string(ev.Kind), Identifier: ev.Identifier, What: gistOf(ev.Kind, ev.Identifier, ev.Words), Words: ev.Words, Lane: ev.Lane,
		RecordCount: max(ev.RecordCount, len(ev.Records)), Records: []recordView{},
	}
	var ids []string
	for _, record := range ev.Records {
		ids = append(ids, record.ID)
		v.Records = append(v.Records, recordView{record.ID, record.Dataset, notNil(record.Labels), recordURL(s.recordURL, record.Dataset, record.ID)})
	}
	f, _ := newFilter(nil, alert.TypeFinding) // has no error without a query
	text, answers := textOf(ev.Digests), strictest{}
	same := func(x *row) bool { return text != 0 && x.text == text }
	if ev.Kind != alert.Phrase {
		f.records = ids
		same = func(*row) bool { return len(ids) > 0 }
	}
	for x := range s.each(period{r.now.Add(-maxRowAge), r.now}, f) {
		if same(x) {
			answers.add(x)
		}
	}
	all := answers.counts()
	v.CameOut = cameOut{all.found(), all.withheld(), all.observed}
	return v
}

// choices are the words that a draft of a rule may use. The caller has locked the store.
func choices(c *Console) map[string]any {
	lists := map[string][]string{"routes": {}, "lanes": {}, "identifiers": {}, "datasets": {}, "labels": {}}
	add := func(list, word string) {
		if word != "" && !slices.Contains(lists[list], word) && len(lists[list]) < 200 {
			lists[list] = append(lists[list], word)
		}
	}
	for _, of := range c.store.shapes {
		add("routes", of.route)
		add("lanes", of.lane)
		add("identifiers", of.identifier)
	}
	for _, list := range c.store.lists {
		for _, record := range list {
			add("datasets", record.Dataset)
			for _, l := range record.Labels {
				add("labels", l)
			}
		}
	}
	out := map[string]any{
		"config": c.opts.Config != nil, "kinds": []string{"verbatim", "phrase", "near", "stuffing"}, "actions": []string{"observe", "redact", "block"},
	}
	for name, list := range lists {
		slices.Sort(list)
		out[name] = list
	}
	return out
}
