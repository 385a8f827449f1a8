package main

import (
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// scanProgress draws on a terminal how much of the files was read, how fast, and
// the time left; of standard input only the rate is known.
type scanProgress struct {
	taken atomic.Int64 // bytes of the files as they are on disk

	mu   sync.Mutex // between the bar and what is printed over it
	bar  *progressbar.ProgressBar
	done chan struct{}
	wg   sync.WaitGroup
}

// newScanProgress starts to draw if w is a terminal.
func newScanProgress(w io.Writer, jobs []scanJob) *scanProgress {
	p := &scanProgress{done: make(chan struct{})}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return p
	}
	p.bar = progressbar.NewOptions64(scanTotal(jobs),
		progressbar.OptionSetWriter(f),
		progressbar.OptionSetDescription("scanning"),
		progressbar.OptionShowBytes(true),
		progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
	p.wg.Go(p.draw)
	return p
}

// scanTotal returns the bytes of all files, -1 if they are not known.
func scanTotal(jobs []scanJob) int64 {
	total := int64(0)
	for _, j := range jobs {
		switch {
		case j.in == nil:
		case j.in.Size < 0:
			return -1
		default:
			total += j.in.Size
		}
	}
	return total
}

// draw draws the bar until the scan stops.
func (p *scanProgress) draw() {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-tick.C:
		}
		p.mu.Lock()
		_ = p.bar.Set64(p.taken.Load()) // a bar that cannot be drawn is no error
		p.mu.Unlock()
	}
}

// stop takes the bar away.
func (p *scanProgress) stop() {
	close(p.done)
	p.wg.Wait()
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

// over returns a writer to w that takes the bar away before it writes; the bar
// comes back below.
func (p *scanProgress) over(w io.Writer) io.Writer {
	if p.bar == nil {
		return w
	}
	return &overBar{p: p, w: w}
}

// overBar writes where a bar is drawn.
type overBar struct {
	p *scanProgress
	w io.Writer
}

func (o *overBar) Write(b []byte) (int, error) {
	o.p.mu.Lock()
	defer o.p.mu.Unlock()
	_ = o.p.bar.Clear()
	return o.w.Write(b)
}
