package policy

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"noecho/proxy/config"
)

func TestCoverage(t *testing.T) {
	t.Parallel()
	c := newClock()
	v := NewCoverage(config.Coverage{Words: 40, Over: time.Hour}, c.now)
	request := uint64(0)
	add := func(caller string, first uint64, words int, want Drip) {
		t.Helper()
		request++
		got, told := v.Add(Piece{Record: "r", Caller: caller, Request: request, First: first, Words: words})
		if got != want || told != (want != Drip{}) {
			t.Errorf("%+v, %t, want %+v", got, told, want)
		}
	}
	none := Drip{}
	add("a", 1000, 100, none) // one request is no drip
	add("a", 1000, 90, none)  // nor are words that were found before
	add("a", 1100, 1, Drip{Words: 101, Requests: 2})
	add("a", 1101, 50, none) // a drip was returned
	add("b", 1200, 20, Drip{Words: 171, Requests: 4, Several: true})
	add("b", 1220, 19, none) // a drip was returned, and this piece is too small for another
	add("b", 1239, 1, Drip{Words: 40, Requests: 3})
	c.move(2 * time.Hour)
	add("a", 1000, 39, none)
	add("a", 1039, 1, Drip{Words: 40, Requests: 2})
	c.move(30 * time.Minute)
	add("c", 2000, 10, Drip{Words: 50, Requests: 3, Several: true})
	c.move(40 * time.Minute) // the words of a are older than the period
	add("c", 2100, 10, none)
	add("d", 2120, 20, none) // the last drip was 40 minutes ago
	c.move(30 * time.Minute) // so are the first words of c
	add("d", 2140, 9, none)
	add("d", 2149, 1, Drip{Words: 40, Requests: 4, Several: true})
}

func TestCoverageShare(t *testing.T) {
	t.Parallel()
	v := NewCoverage(config.Coverage{Share: 0.5, Over: time.Hour}, newClock().now)
	piece := Piece{Record: "r", Caller: "a", Length: 60, Request: 1, First: 5, Words: 15}
	if _, told := v.Add(piece); told {
		t.Error("told of a quarter")
	}
	piece.Request, piece.First = 2, 30
	if d, told := v.Add(piece); !told || d != (Drip{Words: 30, Length: 60, Requests: 2}) {
		t.Errorf("%+v, %t", d, told)
	}
	unknown := Piece{Record: "s", Caller: "a", Request: 1, First: 5, Words: 1000}
	v.Add(unknown)
	unknown.Request, unknown.First = 2, 5000
	if _, told := v.Add(unknown); told {
		t.Error("told a share of a record of unknown length")
	}
}

func TestNoCoverage(t *testing.T) {
	t.Parallel()
	v := NewCoverage(config.Coverage{Over: time.Hour}, nil)
	if _, told := v.Add(Piece{Words: 1 << 20}); told || v.Forgotten() != 0 || v.Renew(config.Coverage{}) != nil {
		t.Error("what is off tells")
	}
	bound := config.Coverage{Words: 1, Over: time.Hour}
	if v = v.Renew(bound); v == nil || v.Renew(bound) != v {
		t.Error("not made, or thrown away without need")
	}
}

// TestCoverageCounts compares the bits with a set of all words.
func TestCoverageCounts(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 4))
	tr, all := &trace{}, map[uint64]bool{}
	for i := range 3000 {
		first, words := uint64(rnd.IntN(20_000)), 1+rnd.IntN(200)
		was := len(all)
		for w := range uint64(words) {
			all[first+w] = true
		}
		if added := tr.add(&Piece{First: first, Words: words}, int64(i)); added != (len(all) > was) || tr.words != len(all) {
			t.Fatalf("%d words, added %t, want %d after %d", tr.words, added, len(all), was)
		}
	}
	tr.expire(1500)
	blocks := 0
	for _, b := range tr.blocks {
		if b.at < 1500 {
			t.Fatal("what ran out is kept")
		}
		blocks++
	}
	if blocks == 0 || tr.words > 64*blocks {
		t.Errorf("%d words in %d blocks", tr.words, blocks)
	}
}

func TestCoverageIsBounded(t *testing.T) {
	t.Parallel()
	c := newClock()
	v := NewCoverage(config.Coverage{Words: 1000, Over: time.Hour}, c.now)
	v.most, v.blocks = 100, 300
	add := func(record string, request, first uint64, words int) bool {
		_, told := v.Add(Piece{Record: record, Caller: "a", Request: request, First: first, Words: words})
		used := 0
		for _, e := range v.traces {
			used += len(e.Value.(*trace).blocks)
		}
		if len(v.traces) > v.most || len(v.traces) != v.recent.Len() || used != v.used || used > v.blocks {
			t.Fatalf("%d traces, %d in order, %d blocks, %d counted", len(v.traces), v.recent.Len(), used, v.used)
		}
		return told
	}
	add("dear", 1, 0, 900)
	for i := range 1000 {
		add(fmt.Sprint("r", i), uint64(i), uint64(i)*1000, 10)
		if i%20 == 0 { // a record that is asked for again and again stays
			add("dear", 1, 0, 900)
		}
	}
	if v.Forgotten() == 0 {
		t.Error("nothing was forgotten, or it was not counted")
	}
	if !add("dear", 2, 900, 100) {
		t.Error("what is added to most was forgotten")
	}
	add("huge", 3, 1<<40, 1<<20) // too many words for the memory
	c.move(2 * time.Hour)
	before := v.Forgotten()
	add("late", 4, 5, 10)
	if len(v.traces) != 2 || v.Forgotten() != before {
		t.Errorf("%d traces left, %d forgotten: what has run out is no loss", len(v.traces), v.Forgotten()-before)
	}
}

func TestCoverageConcurrently(t *testing.T) {
	t.Parallel()
	v := NewCoverage(config.Coverage{Words: 400, Over: time.Hour}, newClock().now)
	var group sync.WaitGroup
	told := make(chan Drip, 1000)
	for i := range 8 {
		group.Go(func() {
			for j := range 100 {
				if d, ok := v.Add(Piece{Record: "r", Caller: "a", Request: uint64(i), First: uint64(100*i + j), Words: 1}); ok {
					told <- d
				}
			}
		})
	}
	group.Wait()
	if close(told); len(told) != 1 {
		t.Fatalf("told %d times", len(told))
	}
	if d := <-told; d.Words != 400 {
		t.Errorf("%+v", d)
	}
}
