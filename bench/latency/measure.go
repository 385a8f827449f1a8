package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// side is one of the two ways to the model.
type side int

const (
	direct side = iota
	through
)

// figures are the measured times of one quantity on both sides.
type figures struct {
	name  string
	times [2][]time.Duration
}

// results are the times of every quantity.
type results struct {
	mu    sync.Mutex
	first figures
	last  figures
	whole figures
}

// bodies of the two kinds of request.
const (
	askStream = `{"model":"m","stream":true,"messages":[{"role":"user","content":"tell me"}]}`
	askWhole  = `{"model":"m","messages":[{"role":"user","content":"tell me"}]}`
)

// measure sends every request of the plan. The first error ends it.
func (r *rig) measure(ctx context.Context, o *options) (*results, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	found := &results{first: figures{name: "first word"}, last: figures{name: "whole stream"}, whole: figures{name: "one piece"}}
	plan := make(chan int)
	var callers sync.WaitGroup
	for range o.parallel {
		callers.Go(func() {
			// A client of its own: callers do not share connections.
			client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
			defer client.CloseIdleConnections()
			for i := range plan {
				if err := r.round(ctx, client, i, found); err != nil {
					cancel(err)
				}
			}
		})
	}
	const warm = 5 // connections and caches, not counted
	for i := range o.requests + warm {
		select {
		case plan <- i - warm:
		case <-ctx.Done():
		}
	}
	close(plan)
	callers.Wait()
	return found, context.Cause(ctx)
}

// round asks both sides for both kinds of answer; which side is first changes.
func (r *rig) round(ctx context.Context, client *http.Client, i int, found *results) error {
	for n := range 2 {
		at := side((i + n) & 1)
		base := r.direct
		if at == through {
			base = r.guard
		}
		first, last, err := ask(ctx, client, base, askStream)
		if err != nil {
			return err
		}
		_, whole, err := ask(ctx, client, base, askWhole)
		if err != nil {
			return err
		}
		if i >= 0 {
			found.add(at, first, last, whole)
		}
	}
	return nil
}

func (f *results) add(at side, first, last, whole time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.first.times[at] = append(f.first.times[at], first)
	f.last.times[at] = append(f.last.times[at], last)
	f.whole.times[at] = append(f.whole.times[at], whole)
}

// ask sends one request and reads the answer: the time to the first content of
// a stream, and to the end.
func ask(ctx context.Context, client *http.Client, base, body string) (first, last time.Duration, err error) {
	begin := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return 0, 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadBytes('\n')
		if first == 0 && bytes.Contains(line, []byte(`"content":"`)) && !bytes.Contains(line, []byte(`"content":""`)) {
			first = time.Since(begin)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, 0, err
		}
	}
	if resp.StatusCode != http.StatusOK || first == 0 {
		return 0, 0, fmt.Errorf("%s answered %s without text", base, resp.Status)
	}
	return first, time.Since(begin), nil
}

// print writes a table of quantiles in microseconds.
func (f *results) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "µs\tdirect p50\tp90\tp99\tnoecho p50\tp90\tp99\tadded p50\tratio p50\t")
	for _, g := range []*figures{&f.first, &f.last, &f.whole} {
		fmt.Fprintf(t, "%s\t", g.name)
		for at := range g.times {
			slices.Sort(g.times[at])
			for _, q := range []float64{0.5, 0.9, 0.99} {
				fmt.Fprintf(t, "%d\t", quantile(g.times[at], q).Microseconds())
			}
		}
		d, n := quantile(g.times[direct], 0.5), quantile(g.times[through], 0.5)
		fmt.Fprintf(t, "%d\t%.2f\t\n", (n - d).Microseconds(), float64(n)/float64(d))
	}
	return t.Flush()
}

// quantile returns the value below which the share q of the sorted values
// lies, the nearest one from above.
func quantile(sorted []time.Duration, q float64) time.Duration {
	i := int(q * float64(len(sorted)))
	return sorted[min(i, len(sorted)-1)]
}
