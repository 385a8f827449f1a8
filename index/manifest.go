package index

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"noecho/index/internal/format"
	"noecho/ngram"
)

// Manifest says what an index was made of. It holds names, counts and digests,
// never text. It is the MANIFEST section as JSON.
type Manifest struct {
	Model        string        `json:"model,omitempty"` // the model the index is bound to
	Datasets     []Dataset     `json:"datasets"`
	CorpusDigest string        `json:"corpus_digest"` // hex SHA-256 over the sorted digests of the inputs; merged: the sum modulo 2²⁵⁶
	Builder      string        `json:"builder"`
	Time         time.Time     `json:"time,omitzero"` // modification time of the newest input
	Parameters   Parameters    `json:"parameters"`
	Exclusions   []Exclusion   `json:"exclusions"`
	NotIndexed   NotIndexed    `json:"not_indexed"`
	Phrases      *PhraseCounts `json:"phrases,omitempty"`
	Merged       []string      `json:"merged,omitempty"` // build ids of what was merged, none of them merged itself
}

// Dataset is one input, or all of them if the build gave them one name.
type Dataset struct {
	Name       string   `json:"name"`
	PathDigest string   `json:"path_digest"` // hex SHA-256 over the sorted paths, a line feed after each; merged: the sum modulo 2²⁵⁶
	Files      uint64   `json:"files"`
	Bytes      uint64   `json:"bytes"`
	Records    uint64   `json:"records"`  // with at least one window
	Segments   uint64   `json:"segments"` // with at least one window
	Words      uint64   `json:"words"`    // in those segments
	Labels     []string `json:"labels"`
}

// Parameters is how the text was read and the filters were sized.
type Parameters struct {
	N             int      `json:"n"`
	Norm          int      `json:"norm"`
	Unicode       string   `json:"unicode"`
	Suite         string   `json:"suite"`
	Format        string   `json:"format"`
	Fields        []string `json:"fields,omitempty"`
	Roles         []string `json:"roles"`
	NoIdentifiers bool     `json:"no_identifiers,omitempty"`
	Patterns      []string `json:"patterns,omitempty"` // NAME=REGEX, sorted
	Subjects      []string `json:"subjects,omitempty"` // hex SHA-256 of the lists
	MinPhrase     int      `json:"min_phrase,omitempty"`
	Capacity      uint64   `json:"capacity"`            // distinct windows
	Sizing        string   `json:"sizing"`              // "counted" or "given"
	WindowBits    int      `json:"window_bits"`         // of capacity, each
	ConfirmBits   int      `json:"confirm_bits"`        // of capacity, each
	GateBits      int      `json:"gate_bits"`           // of the gates' capacity, each
	WordBits      int      `json:"word_bits,omitempty"` // of the capacity of WORDS, each; 0: the index has none
}

// PhraseCounts is what PHRASES holds.
type PhraseCounts struct {
	Rows    map[ngram.PhraseKind]uint64 `json:"rows"`    // spellings, by kind
	Records uint64                      `json:"records"` // of which no window is indexed, but a phrase
}

// String says what phrases there are, in the order of their kinds.
func (p *PhraseCounts) String() string {
	var parts []string
	for _, kind := range slices.SortedFunc(maps.Keys(p.Rows), format.CompareKinds) {
		parts = append(parts, fmt.Sprintf("%s %d", kind, p.Rows[kind]))
	}
	text := "spellings of " + strings.Join(parts, ", ")
	if p.Records > 0 {
		text += fmt.Sprintf("; all that is indexed of %d records", p.Records)
	}
	return text
}

// Exclusion is a set of windows that are not indexed: those of a text or of a
// report, or those that stand in too many records.
type Exclusion struct {
	Kind    string `json:"kind,omitempty"` // empty: a file; else "in more than N records"
	Digest  string `json:"digest"`         // hex SHA-256 of the file, or of the sorted hashes (Lo, little endian)
	Windows uint64 `json:"windows"`        // distinct ones in it
}

// NotIndexed counts what the build read and did not index, and why.
type NotIndexed struct {
	SystemMessages    uint64 `json:"system_messages"`    // messages of the role system
	DeveloperMessages uint64 `json:"developer_messages"` // messages of the role developer
	OtherMessages     uint64 `json:"other_messages"`     // messages of any other role that was not asked for
	ShortSegments     uint64 `json:"short_segments"`     // texts of fewer than n words
	ShortRecords      uint64 `json:"short_records"`      // records of which no text has n words and nothing else is indexed
	BadRecords        uint64 `json:"bad_records"`        // records that could not be read
	ExcludedWindows   uint64 `json:"excluded_windows"`   // window positions that an exclusion took out
	SkippedFiles      uint64 `json:"skipped_files"`      // files in folders that hold no text
}

// parseManifest decodes the section's payload. Members it does not know are
// left to newer builds.
func parseManifest(b []byte) (*Manifest, error) {
	m := new(Manifest)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, format.Damaged("MANIFEST is not valid")
	}
	return m, nil
}

// String says in a few words what was not indexed; empty: everything was.
func (n NotIndexed) String() string {
	var parts []string
	for _, p := range [...]struct {
		count     uint64
		one, many string
	}{
		{n.SystemMessages, "system message", "system messages"},
		{n.DeveloperMessages, "developer message", "developer messages"},
		{n.OtherMessages, "message of another role", "messages of other roles"},
		{n.ShortSegments, "text shorter than a window", "texts shorter than a window"},
		{n.ShortRecords, "record without a window", "records without a window"},
		{n.BadRecords, "bad record", "bad records"},
		{n.ExcludedWindows, "excluded window", "excluded windows"},
		{n.SkippedFiles, "skipped file", "skipped files"},
	} {
		switch p.count {
		case 0:
		case 1:
			parts = append(parts, "1 "+p.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", p.count, p.many))
		}
	}
	return strings.Join(parts, ", ")
}
