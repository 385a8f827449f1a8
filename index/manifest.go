package index

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"noecho/index/internal/format"
	"noecho/internal/coverage"
)

// Manifest describes the sources of an index and the parameters of its build. It
// contains names, counts and digests, never text. It is stored as JSON in the section
// MANIFEST.
type Manifest struct {
	Model        string        `json:"model,omitempty"` // name of the model that the index is bound to
	Datasets     []Dataset     `json:"datasets"`
	CorpusDigest string        `json:"corpus_digest"` // hex SHA-256 over the sorted digests of the inputs; of a merged index: the sum modulo 2²⁵⁶
	Builder      string        `json:"builder"`
	Time         time.Time     `json:"time,omitzero"` // modification time of the newest input
	Parameters   Parameters    `json:"parameters"`
	Exclusions   []Exclusion   `json:"exclusions"`
	NotIndexed   NotIndexed    `json:"not_indexed"`
	Phrases      *PhraseCounts `json:"phrases,omitempty"`
	Merged       []string      `json:"merged,omitempty"` // build ids of the indexes that were merged; none of them is a merged one
}

// Dataset is one input argument, or all inputs together if the build gave them one
// name.
type Dataset struct {
	Name       string   `json:"name"`
	PathDigest string   `json:"path_digest"` // hex SHA-256 over the sorted names of the files, as record ids have them, with a line feed after each; of a merged index: the sum modulo 2²⁵⁶
	Files      uint64   `json:"files"`
	Bytes      uint64   `json:"bytes"`
	Records    uint64   `json:"records"`  // records with at least one window
	Segments   uint64   `json:"segments"` // segments with at least one window
	Words      uint64   `json:"words"`    // words in those segments
	Labels     []string `json:"labels"`

	Coverage *coverage.Table `json:"coverage,omitempty"` // nil: whole texts, or an older build
}

// Parameters are the parameters of a build: for reading the text, and for the sizes of
// the filters.
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
	Subjects      []string `json:"subjects,omitempty"` // hex SHA-256 of each list of subjects
	MinPhrase     int      `json:"min_phrase,omitempty"`
	Capacity      uint64   `json:"capacity"`            // number of distinct windows
	Sizing        string   `json:"sizing"`              // "counted" or "given"
	WindowBits    int      `json:"window_bits"`         // bits in WINDOWS for each window of the capacity
	ConfirmBits   int      `json:"confirm_bits"`        // bits in CONFIRM for each window of the capacity
	GateBits      int      `json:"gate_bits"`           // bits in GATES for each gram of their capacity
	WordBits      int      `json:"word_bits,omitempty"` // bits in WORDS for each word of its capacity; 0: the index has no WORDS
}

// PhraseCounts has the counts of PHRASES.
type PhraseCounts struct {
	Rows    map[string]uint64 `json:"rows"`    // number of spellings of each kind
	Records uint64            `json:"records"` // records without an indexed window, but with a phrase
}

// String lists the kinds of phrases with their numbers, in the order of the kinds.
func (p *PhraseCounts) String() string {
	var parts []string
	for _, kind := range slices.SortedFunc(maps.Keys(p.Rows), format.CompareKinds) {
		parts = append(parts, fmt.Sprintf("%s %d", kind, p.Rows[kind]))
	}
	text := "spellings of " + strings.Join(parts, ", ")
	if p.Records > 0 {
		text += fmt.Sprintf("; all that is indexed of %d record", p.Records)
	}
	if p.Records > 1 {
		text += "s"
	}
	return text
}

// Exclusion is a set of windows that are not indexed: the windows of a text or of a
// report, or those that occur in too many records.
type Exclusion struct {
	Kind    string `json:"kind,omitempty"` // empty: the windows of a file; else "in more than N records"
	Digest  string `json:"digest"`         // hex SHA-256 of the file, or of the sorted window hashes (lower half, little endian)
	Windows uint64 `json:"windows"`        // number of distinct windows in the set
}

// NotIndexed counts the texts that the build read and did not index, by reason.
type NotIndexed struct {
	SystemMessages    uint64 `json:"system_messages"`    // messages of the role system
	DeveloperMessages uint64 `json:"developer_messages"` // messages of the role developer
	OtherMessages     uint64 `json:"other_messages"`     // messages of any other role that the build was not told to read
	ShortSegments     uint64 `json:"short_segments"`     // texts of fewer than n words
	ShortRecords      uint64 `json:"short_records"`      // records without a text of n words and without anything else that is indexed
	BadRecords        uint64 `json:"bad_records"`        // records that could not be read
	ExcludedWindows   uint64 `json:"excluded_windows"`   // window positions that an exclusion removed
	SkippedFiles      uint64 `json:"skipped_files"`      // files in folders that are not text
}

// parseManifest decodes the payload of MANIFEST. It ignores members that only newer
// builds know.
func parseManifest(b []byte) (*Manifest, error) {
	m := new(Manifest)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, format.Damaged("MANIFEST is not valid JSON")
	}
	return m, nil
}

// String returns a short text for people. It is empty if everything was indexed.
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
