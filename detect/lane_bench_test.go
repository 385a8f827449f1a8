package detect

import (
	"strings"
	"testing"
	"time"

	"noecho/detect/internal/lane"
)

// BenchmarkLanes reads clean text with all lanes and with none, in turn in one run. The
// ratio is the cost of the lanes.
func BenchmarkLanes(b *testing.B) {
	set := newPlainSet(10, record, laneRecord)
	text := []byte(strings.Repeat(cleanText, 40))
	words := len(wordsOf(string(text)))
	var out []Segment
	read := func(d *Detector, cfg Config) time.Duration {
		begin := time.Now()
		d.Reset(set, spec(10), cfg)
		for p := text; len(p) > 0; p = p[min(64, len(p)):] {
			out = d.Append(out[:0], p[:min(64, len(p))])
		}
		out = d.Finish(out[:0])
		return time.Since(begin)
	}
	d := New(set, spec(10), Config{})
	off, on := time.Hour, time.Hour // the best of all: the machine may be busy
	b.ReportAllocs()
	for b.Loop() {
		off = min(off, read(d, Config{}))
		on = min(on, read(d, Config{Lanes: AllLanes &^ lane.LanesOf(lane.Despaced)}))
	}
	b.ReportMetric(float64(on)/float64(off), "ratio")
	b.ReportMetric(float64(off.Nanoseconds())/float64(words), "off-ns/word")
	b.ReportMetric(float64(on.Nanoseconds())/float64(words), "on-ns/word")
}

const cleanText = `The meeting began late because two of the speakers had missed their train, and the
chair spent the first half hour on questions that had been left over from spring. Nobody minded.
By noon the room was full, the coffee was gone, and the discussion had turned to whether a smaller
budget might do as well as a larger one; opinions differed, politely, until a vote was called. `
