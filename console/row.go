package console

import (
	"cmp"
	"hash/fnv"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"noecho/proxy/alert"
)

// row is an alert line in memory: everything that pages filter and count by. Texts are numbers
// of a [names] table. The rest of the line is read from its file when a person asks for it.
type row struct {
	time   int64  // Unix nanoseconds
	seq    uint64 // of the boot
	offset int64  // of the line in its unpacked file
	answer uint64 // hash of boot and request id; 0: about no request
	text   uint64 // of a finding: hash of the digests, 0 without; of others: see amount

	boot, source             uint32
	request                  uint32 // place in the arena
	shape                    uint32
	model, caller, principal uint32
	records                  uint32
	words                    uint32
	suppressed               uint16 // 65535 is as many or more
	kind, action             uint8  // places in the lists below
	typ, severity            uint8
	recordCount, sign        uint8
	requestLen               uint8
	flags                    uint8
}

// shape are the texts of a row that have few different values together.
type shape struct{ route, lane, identifier, instance, rule, mode, why string }

// amount is the number of bytes that unscanned is about, of the lines that a gap reports as
// lost, or of the words of the record of a slow drip.
func (r *row) amount() int64 {
	if r.isFinding() {
		return 0
	}
	return int64(r.text)
}

// The flags of a row.
const (
	flagManyWindows uint8 = 1 << iota // it has more windows than digests
	flagCutRecords                    // more records are known than the line names
)

// The words that a row has as numbers. Words that are not here get the number 0: a newer
// noecho wrote them.
var (
	rowTypes      = append([]alert.Type{""}, alert.Types()...)
	rowSeverities = []alert.Severity{"", alert.Low, alert.Medium, alert.High, alert.Critical}
	rowKinds      = []alert.Kind{"", alert.Verbatim, alert.Phrase, alert.Near, alert.Stuffing}
	rowActions    = []alert.Action{
		"", alert.Observed, alert.Redacted, alert.Blocked, alert.Echo, alert.Ignored, alert.Refused,
		alert.Passed, alert.Applied, alert.Failed, alert.LookedUp, alert.Exported,
	}
	rowSignals = []alert.Signal{alert.SignalDisguise, alert.SignalRecords, alert.SignalRate, alert.SignalBudget}
)

// code returns the place of a word in a list; 0 if it is not there.
func code[T comparable](list []T, word T) uint8 { return uint8(max(0, slices.Index(list, word))) }

// isFinding reports whether the row is about a span of an answer.
func (r *row) isFinding() bool { return rowTypes[r.typ] == alert.TypeFinding }

// outcome is what became of the text of a row.
type outcome uint8

// The outcomes, mildest first.
const (
	outcomeNone     outcome = iota // nothing left that was to be kept back: an echo, a start
	outcomePassed                  // training text left
	outcomeWithheld                // training text did not leave
)

func (o outcome) String() string { return [...]string{"none", "passed", "withheld"}[o] }

func (r *row) outcome() outcome {
	switch rowActions[r.action] {
	case alert.Redacted, alert.Blocked, alert.Refused:
		return outcomeWithheld
	case alert.Observed, alert.Passed:
		return outcomePassed
	default:
		return outcomeNone
	}
}

// has reports whether the row has a signal.
func (r *row) has(signal int) bool { return r.sign&(1<<signal) != 0 }

// disguised reports whether the text was spelled so that it is hard to recognise.
func (r *row) disguised() bool { return r.has(0) }

// before is the order of rows: by time, and of one moment by boot and number.
func (r *row) before(o *row) bool {
	return cmp.Or(cmp.Compare(r.time, o.time), cmp.Compare(r.boot, o.boot), cmp.Compare(r.seq, o.seq)) < 0
}

// caller is one who asks, by the best name that is known.
type caller struct {
	Key       string `json:"key"`
	Name      string `json:"name"`
	User      string `json:"user"`
	Principal string `json:"principal"`
	Client    string `json:"client"`
}

// callerOf returns the caller of an alert.
func callerOf(ev *alert.Event) caller {
	c := caller{User: ev.User, Principal: ev.Principal}
	switch {
	case c.User != "":
		c.Key, c.Name = "u:"+c.User, c.User
	case c.Principal != "":
		c.Key, c.Name = "p:"+c.Principal, c.Principal[:min(len(c.Principal), 8)]
	default:
		c.Client = cmp.Or(ev.Forwarded, ev.Client)
		c.Key, c.Name = "a:"+c.Client, c.Client
	}
	return c
}

// textOf returns a name for the windows of a finding: findings of one text have the same.
func textOf(digests []alert.Digest) uint64 {
	if len(digests) == 0 {
		return 0
	}
	h := fnv.New64a()
	for _, d := range slices.Compact(slices.Sorted(slices.Values(digests))) {
		text, _ := d.MarshalText() // never fails
		_, _ = h.Write(text)
	}
	return max(1, h.Sum64())
}

// hashOf returns the hash of texts.
func hashOf(texts ...string) uint64 {
	h := fnv.New64a()
	for _, s := range texts {
		_, _ = h.Write([]byte(s))
		_, _ = h.Write([]byte{0})
	}
	return max(1, h.Sum64())
}

// recordView is a training record in an answer of the console.
type recordView struct {
	ID      string   `json:"id"`
	Dataset string   `json:"dataset"`
	Labels  []string `json:"labels"`
	URL     string   `json:"url"`
}

// recordURL fills the pattern of the configuration; empty if there is none, or the record is a
// person of the list of subjects.
func recordURL(pattern, dataset, id string) string {
	if pattern == "" || dataset == subjects {
		return ""
	}
	return strings.NewReplacer("{dataset}", url.PathEscape(dataset), "{id}", url.PathEscape(id)).Replace(pattern)
}

// subjects is the dataset of records that are people, as alerts name it.
const subjects = "subjects"

// rowView is a row in an answer of the console.
type rowView struct {
	Key         string       `json:"key"`
	Time        time.Time    `json:"time"`
	Type        string       `json:"type"`
	Severity    string       `json:"severity"`
	Action      string       `json:"action"`
	Outcome     string       `json:"outcome"`
	What        string       `json:"what"`
	Kind        string       `json:"kind"`
	Identifier  string       `json:"identifier"`
	Lane        string       `json:"lane"`
	Words       uint32       `json:"words"`
	Route       string       `json:"route"`
	Model       string       `json:"model"`
	Mode        string       `json:"mode"`
	Instance    string       `json:"instance"`
	RequestID   string       `json:"request_id"`
	Caller      caller       `json:"caller"`
	Records     []recordView `json:"records"`
	RecordCount uint8        `json:"record_count"`
	Signal      []string     `json:"signal"`
	Rule        string       `json:"rule"`
	Text        string       `json:"text"`
	Suppressed  uint32       `json:"suppressed"`
	Reason      string       `json:"reason"`
}

// view describes a row. The caller has locked the store.
func (s *store) view(r *row) rowView {
	of := s.shapes[r.shape]
	v := rowView{
		Key: s.key(r), Time: time.Unix(0, r.time).UTC(), Type: string(rowTypes[r.typ]), Severity: string(rowSeverities[r.severity]),
		Action: string(rowActions[r.action]), Outcome: r.outcome().String(), What: s.gist(r), Kind: string(rowKinds[r.kind]),
		Identifier: of.identifier, Lane: of.lane, Words: r.words, Route: of.route,
		Model: s.names.text(r.model), Mode: of.mode, Instance: of.instance, RequestID: s.requestID(r),
		Caller: s.callers[r.caller], Records: []recordView{}, RecordCount: r.recordCount, Signal: []string{},
		Rule: of.rule, Suppressed: uint32(r.suppressed), Reason: of.why,
	}
	for _, record := range s.lists[r.records] {
		v.Records = append(v.Records, recordView{record.ID, record.Dataset, notNil(record.Labels), recordURL(s.recordURL, record.Dataset, record.ID)})
	}
	for i, signal := range rowSignals {
		if r.has(i) {
			v.Signal = append(v.Signal, string(signal))
		}
	}
	if r.isFinding() && r.text != 0 {
		v.Text = hex16(r.text)
	}
	return v
}

// notNil returns an empty list instead of nil, so that JSON has [] and not null.
func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// hex16 writes a hash.
func hex16(h uint64) string {
	s := strconv.FormatUint(h, 16)
	return strings.Repeat("0", 16-len(s)) + s
}

// gist says in a few words what a row is about.
func (s *store) gist(r *row) string {
	of := s.shapes[r.shape]
	switch rowTypes[r.typ] {
	case alert.TypeFinding:
		return gistOf(rowKinds[r.kind], of.identifier, int(r.words))
	case alert.TypeUnscanned:
		return counted(r.amount(), "byte") + " not scanned"
	case alert.TypeGap:
		return counted(r.amount(), "alert line") + " lost"
	case alert.TypeProbing:
		return "more findings than the budget allows"
	case alert.TypeDrip:
		return counted(int64(r.words), "word") + " of one record"
	case alert.TypeMismatch:
		return "the index is of another model"
	default:
		return cmp.Or(of.why, string(rowTypes[r.typ]))
	}
}

// gistOf says in a few words what a finding is.
func gistOf(kind alert.Kind, identifier string, words int) string {
	switch kind {
	case alert.Phrase:
		return alert.IdentifierName(identifier)
	case alert.Stuffing:
		return "more bytes than may wait"
	case alert.Near:
		return counted(int64(words), "word") + ", nearly"
	default:
		return counted(int64(words), "word")
	}
}

// counted writes a number of things.
func counted(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.FormatInt(n, 10) + " " + thing + "s"
}
