package main

import (
	"bytes"
	"fmt"
	"io"

	"noecho/detect"
	"noecho/index"
)

// besides is what was found beside verbatim runs of the text as it stands: near
// matches, phrases, and findings in other lanes. The oracle cannot judge it:
// each is listed, for a person to look at.
type besides struct {
	Findings int      `json:"findings"`
	Words    int      `json:"words"`
	List     []beside `json:"list"`
}

// beside is one of them.
type beside struct {
	HeldOut string `json:"held_out"` // file:line
	Kind    string `json:"kind"`
	Lane    string `json:"lane"`
	Words   int    `json:"words"`
	Seeds   int    `json:"windows"` // seeds, if it is a near match
	Record  string `json:"record"`  // of the training text; empty: not known
	text    string
}

// everything is how the product judges texts unless it is told otherwise.
func everything(ix *index.Index) detect.Config {
	return detect.Config{Ledger: ix, Phrases: ix, Vocabulary: ix, Lanes: detect.AllLanes}
}

// plain returns the verbatim findings of the text as it stands, and notes the
// others.
func (r *report) plain(ix *index.Index, d document, data []byte, found []*detect.Finding) []*detect.Finding {
	var out []*detect.Finding
	for _, f := range found {
		if f.Lane == detect.Plain && f.Kind != detect.Near && f.Kind != detect.Phrase {
			out = append(out, f)
			continue
		}
		b := beside{
			HeldOut: fmt.Sprintf("%s:%d", d.name, 1+bytes.Count(data[:f.Span.Lo], []byte{'\n'})),
			Kind:    f.Kind.String(), Lane: f.Lane.String(), Words: f.Words, Seeds: f.Windows,
			text: string(data[f.Span.Lo:f.Span.Hi]),
		}
		if len(f.Places) > 0 {
			record, _ := ix.Record(f.Places[0])
			b.Record = record.ID
		}
		r.Beside.Findings++
		r.Beside.Words += f.Words
		r.Beside.List = append(r.Beside.List, b)
	}
	return out
}

// print lists what was found beside.
func (b *besides) print(w io.Writer, showText bool) {
	fmt.Fprintf(w, "beside    %d findings of other kinds and lanes, %d words\n", b.Findings, b.Words)
	for _, f := range b.List {
		fmt.Fprintf(w, "%s, lane %s  %s  train %s  %d words  %d seeds\n", f.Kind, f.Lane, f.HeldOut, f.Record, f.Words, f.Seeds)
		if showText {
			fmt.Fprintf(w, "    %q\n", f.text)
		}
	}
}
