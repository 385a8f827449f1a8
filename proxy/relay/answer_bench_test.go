package relay

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"noecho/detect"
	"noecho/ngram"
	"noecho/proxy/wire"
	"noecho/proxy/wire/api"
)

// benchAnswer is a clean answer of several texts, as agents get them.
type benchAnswer struct {
	name, api   string
	contentType string
	body        string
}

// benchAnswers are a text with tool calls behind it, calls with lists of words, and a stream
// of thoughts, text and calls.
func benchAnswers() []benchAnswer {
	const said = "The meeting began late because two of the speakers had missed their train, and the chair spent the first half hour on questions that had been left over from spring. "
	var calls, lists, chunks []string
	for i := range 12 {
		arguments := string(mustJSON(fmt.Sprintf(`{"path":"src/report%d.txt","line":%d,"text":%s}`, i, 10*i, mustJSON(said))))
		calls = append(calls, fmt.Sprintf(`{"id":"call_%d","type":"function","function":{"name":"write_file","arguments":%s}}`, i, arguments))
	}
	for i := range 12 {
		arguments := mustJSON(fmt.Sprintf(`{"names":%s}`, mustJSON(strings.Fields(said))))
		lists = append(lists, fmt.Sprintf(`{"id":"call_%d","type":"function","function":{"name":"find_all","arguments":%s}}`, i, arguments))
	}
	for i, member := range []string{"reasoning_content", "content"} {
		for range 4 - i {
			for _, w := range strings.SplitAfter(said, " ") {
				chunks = append(chunks, delta(0, fmt.Sprintf("%q:%s", member, mustJSON(w))))
			}
		}
	}
	for i := range 6 {
		chunks = append(chunks, delta(0, fmt.Sprintf(`"tool_calls":[{"index":%d,"id":"call_%d","type":"function","function":{"name":"write_file","arguments":""}}]`, i, i)))
		for _, w := range strings.SplitAfter(fmt.Sprintf(`{"path":"src/report%d.txt","line":%d,"text":%s}`, i, 10*i, mustJSON(said)), " ") {
			chunks = append(chunks, delta(0, fmt.Sprintf(`"tool_calls":[{"index":%d,"function":{"arguments":%s}}]`, i, mustJSON(w))))
		}
	}
	return []benchAnswer{
		{"whole", "openai.chat", "application/json", fmt.Sprintf(`{"choices":[{"index":0,"message":{"content":%s,"tool_calls":[%s]}}]}`, mustJSON(said+said), strings.Join(calls, ","))},
		{"lists", "openai.chat", "application/json", fmt.Sprintf(`{"choices":[{"index":0,"message":{"content":null,"tool_calls":[%s]}}]}`, strings.Join(lists, ","))},
		{"stream", "openai.chat", "text/event-stream", stream(append(chunks, ends(0, "stop"), "[DONE]")...)},
	}
}

// worded is an index with the section WORDS, as those that are built today.
type worded struct {
	memory
	words map[uint64]bool
}

func (w worded) Has() (ledger, phrases, words bool) { return false, false, true }
func (w worded) Word(h ngram.Hash) bool             { return w.words[h.Lo] }

func newWorded(spec ngram.Spec, text string) worded {
	w := worded{newMemory(spec, text), map[uint64]bool{}}
	s := ngram.NewScanner(spec.Suite)
	for _, word := range s.Finish(s.Append(nil, []byte(text))) {
		w.words[ngram.Gram(0, word.Hash, 1).Lo] = true
	}
	return w
}

// BenchmarkAnswer reads answers of several texts, with the lanes and without.
func BenchmarkAnswer(b *testing.B) {
	for _, s := range benchAnswers() {
		for _, lanes := range []detect.Lanes{0, detect.AllLanes} {
			b.Run(fmt.Sprintf("%s/lanes=%v", s.name, lanes != 0), func(b *testing.B) {
				cfg := testConfig(b)
				cfg.Set = newWorded(cfg.Spec, secret)
				cfg.Family, cfg.Detect.Lanes = api.ByName(s.api), lanes
				cfg.Framing = cfg.Family.Framing(s.contentType, wire.Request{Stream: true})
				best := time.Hour // the machine may be busy
				var pool Pool
				body, out := []byte(s.body), make([]byte, 0, 1<<20)
				b.SetBytes(int64(len(s.body)))
				b.ReportAllocs()
				for b.Loop() {
					begin := time.Now()
					r := pool.New(cfg)
					if cfg.Framing == wire.JSON {
						_, _, _ = r.Whole(out[:0], body)
					} else {
						p, _ := r.Append(out[:0], body)
						_, _ = r.Finish(p)
					}
					r.Close()
					best = min(best, time.Since(begin))
				}
				b.ReportMetric(float64(best.Nanoseconds()), "best-ns")
			})
		}
	}
}
