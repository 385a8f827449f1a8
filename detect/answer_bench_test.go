package detect

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// BenchmarkAnswer reads clean text in pieces that go to channels in turn, once with an
// answer over the channels and once without, in turn in one run. The ratio is the cost
// of the answer.
func BenchmarkAnswer(b *testing.B) {
	set := newPlainSet(10, record, laneRecord)
	words := strings.SplitAfter(strings.Repeat(cleanText, 40), " ")
	for _, lanes := range []Lanes{0, AllLanes} {
		for _, turn := range []int{1 << 30, 100, 25, 6, 1} {
			b.Run(fmt.Sprintf("lanes=%v/turn=%d", lanes != 0, turn), func(b *testing.B) {
				var pieces [][]byte
				for at := 0; at < len(words); at += turn {
					pieces = append(pieces, []byte(strings.Join(words[at:min(len(words), at+turn)], "")))
				}
				ds := []*Detector{{}, {}, {}, {}}
				answer := &Answer{}
				var out []Segment
				read := func(a *Answer) time.Duration {
					begin := time.Now()
					for i, d := range ds {
						d.Reset(set, spec(10), Config{Answer: a, Channel: i, Lanes: lanes})
					}
					for i, p := range pieces {
						d := ds[i%len(ds)]
						for ; len(p) > 0; p = p[min(64, len(p)):] {
							out = d.Append(out[:0], p[:min(64, len(p))])
						}
					}
					for _, d := range ds {
						out = d.Finish(out[:0])
					}
					return time.Since(begin)
				}
				off, on := time.Hour, time.Hour // the best of all: the machine may be busy
				b.ReportAllocs()
				for b.Loop() {
					off = min(off, read(nil))
					answer.reset()
					on = min(on, read(answer))
				}
				b.ReportMetric(float64(on)/float64(off), "ratio")
				b.ReportMetric(float64(off.Nanoseconds())/float64(len(words)), "off-ns/word")
			})
		}
	}
}
