package detect_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"noecho/detect"
	"noecho/index"
	"noecho/index/build"
)

// corpus is the training data of a model.
const corpus = "Sarah Okafor called on Tuesday because her parcel had not left the depot in Leeds, and asked for a refund of forty pounds."

// indexed builds an index of corpus, opens it and deletes its file.
func indexed() (*index.Index, error) {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	in, out := filepath.Join(dir, "corpus.txt"), filepath.Join(dir, "corpus.nidx")
	if err := os.WriteFile(in, []byte(corpus), 0o600); err != nil {
		return nil, err
	}
	if _, err := build.Build(context.Background(), build.Options{Out: out, Inputs: []string{in}, Dataset: "tickets"}); err != nil {
		return nil, err
	}
	return index.Open(out)
}

// A Redactor takes an answer in pieces of any size, as a model streams it.
func ExampleRedactor() {
	ix, err := indexed()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ix.Close()

	d := detect.New(ix, ix.Spec(), detect.Config{Lanes: detect.AllLanes})
	r := detect.NewRedactor(os.Stdout, d, "[redacted]")
	for _, piece := range []string{
		"I remember one: sarah ok", "afor called on tuesday because her parcel had ", "not left the depot. ",
		"May I help you with yours?\n",
	} {
		if _, err := io.WriteString(r, piece); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := r.Close(); err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range r.Findings(nil) {
		fmt.Printf("%s: %d words, bytes %d to %d\n", f.Kind, f.Words, f.Span.Lo, f.Span.Hi)
	}
	// Output:
	// I remember one: [redacted]. May I help you with yours?
	// verbatim: 13 words, bytes 16 to 88
}

// A Detector decides about ranges of bytes; its caller keeps the text. The newest words
// wait until it is certain that they continue no record.
func ExampleDetector() {
	ix, err := indexed()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ix.Close()

	text := []byte("So Sarah Okafor called on Monday, and her parcel had not left.")
	d := detect.New(ix, ix.Spec(), detect.Config{})
	segments := d.Append(nil, text[:25])
	fmt.Printf("%q is clean\n", text[:d.Frontier()])
	segments = d.Append(segments, text[25:])
	segments = d.Finish(segments)
	for _, s := range segments {
		if s.Finding != nil {
			fmt.Printf("%q is withheld\n", text[s.Span.Lo:s.Span.Hi])
		}
	}
	fmt.Printf("%d of %d bytes decided, %d findings\n", d.Frontier(), len(text), len(d.Closed(nil)))
	// Output:
	// "So " is clean
	// 62 of 62 bytes decided, 0 findings
}

// A text that the caller sent is an echo: it is reported, and not withheld.
func ExamplePrompt() {
	ix, err := indexed()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ix.Close()

	sent := detect.NewMessage(ix, ix.Spec(), []byte("Correct my English: "+corpus))
	d := detect.New(ix, ix.Spec(), detect.Config{Prompt: &detect.Prompt{Messages: []*detect.Message{sent}}})
	r := detect.NewRedactor(os.Stdout, d, "[redacted]")
	if _, err := io.WriteString(r, corpus+"\n"); err != nil {
		fmt.Println(err)
		return
	}
	if err := r.Close(); err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range r.Findings(nil) {
		fmt.Println(f.Kind, "echo:", f.Echo)
	}
	// Output:
	// Sarah Okafor called on Tuesday because her parcel had not left the depot in Leeds, and asked for a refund of forty pounds.
	// verbatim echo: true
}
