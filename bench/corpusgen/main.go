// Command corpusgen writes a made-up training corpus of any size: chat rows as JSON
// lines, or plain text. The same seed and size give the same bytes.
//
// It knows how often words and phrases are repeated in real text: the repetitions
// decide the time of an index build and the size of an index. It knows nothing of
// indexes.
//
// Words follow Zipf's law over a vocabulary of made-up words, short ones first. They
// come in phrases that are repeated, and whole sentences are repeated as well, as
// greetings and signatures are. At 300 MB of rows 98 of 100 windows of ten words are
// distinct, 79 of 100 four-word grams and 23 of 100 two-word grams.
//
//	go run ./bench/corpusgen -size 1GB >rows.jsonl
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

func main() {
	seed := flag.Uint64("seed", 1, "another seed, another corpus")
	size := flag.String("size", "10MB", "how much to write: 300MB, 1GB")
	kind := flag.String("format", "jsonl", "jsonl: chat rows; text: one long text")
	flag.Parse()
	if err := run(os.Stdout, *seed, *size, *kind); err != nil {
		fmt.Fprintln(os.Stderr, "corpusgen:", err)
		os.Exit(1)
	}
}

// run writes the corpus.
func run(w io.Writer, seed uint64, size, kind string) error {
	n, err := parseSize(size)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<20)
	g := newGenerator(seed)
	var write func([]byte) []byte
	switch kind {
	case "jsonl":
		write = g.row
	case "text":
		write = g.paragraph
	default:
		return fmt.Errorf("format %q is not known: use jsonl or text", kind)
	}
	var buf []byte
	for n > 0 {
		buf = write(buf[:0])
		if _, err := out.Write(buf); err != nil {
			return err
		}
		n -= int64(len(buf))
	}
	return out.Flush()
}

// parseSize reads a number of bytes with the unit MB or GB, or none.
func parseSize(text string) (int64, error) {
	unit := int64(1)
	number := text
	for name, n := range map[string]int64{"MB": 1e6, "GB": 1e9} {
		if rest, ok := strings.CutSuffix(text, name); ok {
			number, unit = rest, n
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > 1<<50/unit {
		return 0, fmt.Errorf("%q is not a size: write one such as 300MB or 1GB", text)
	}
	return n * unit, nil
}
