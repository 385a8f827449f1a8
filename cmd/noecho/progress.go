package main

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// step is one step of some work, and how far it has come.
type step struct {
	number      int64              // from 1; 0: no step has begun
	name        string             // may change while the step goes on
	done, total int64              // a total of -1 is not known: only the rate is drawn
	unit        progressbar.Option // of done and total
}

// progress draws a bar on a terminal while work goes on. Elsewhere it draws nothing.
type progress struct {
	mu    sync.Mutex // the bar is drawn or taken away by one goroutine at a time
	bar   *progressbar.ProgressBar
	ended chan struct{} // nil: not a terminal
	wg    sync.WaitGroup
}

// showProgress draws until stop is called. It calls now from another goroutine.
func showProgress(w io.Writer, now func() step) *progress {
	p := new(progress)
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return p
	}
	p.ended = make(chan struct{})
	p.wg.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for drawn := int64(0); ; {
			select {
			case <-p.ended:
				return
			case <-tick.C:
			}
			s := now()
			p.mu.Lock()
			if s.number != drawn {
				drawn = s.number
				p.bar = s.newBar(f)
			}
			if p.bar != nil {
				p.bar.Describe(s.name)
				_ = p.bar.Set64(s.done) // a bar that cannot be drawn is no error
			}
			p.mu.Unlock()
		}
	})
	return p
}

func (s step) newBar(f *os.File) *progressbar.ProgressBar {
	return progressbar.NewOptions64(s.total,
		progressbar.OptionSetWriter(f),
		progressbar.OptionSetDescription(s.name),
		s.unit,
		progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
}

// stop takes the bar away.
func (p *progress) stop() {
	if p.ended == nil {
		return
	}
	close(p.ended)
	p.wg.Wait()
	p.clear()
}

func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

// above returns a writer to w that takes the bar away before it writes. The bar comes
// back below the output.
func (p *progress) above(w io.Writer) io.Writer {
	if p.ended == nil {
		return w
	}
	return aboveBar{p, w}
}

type aboveBar struct {
	p *progress
	w io.Writer
}

func (a aboveBar) Write(b []byte) (int, error) {
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	a.p.clear()
	return a.w.Write(b)
}
