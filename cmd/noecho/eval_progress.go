package main

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"noecho/eval"
)

// evalSteps name what a measurement does, in order.
var evalSteps = [eval.Steps]string{"reading the corpus", "drawing passages", "disguises"}

// showEvalProgress draws a bar while a measurement runs, on a terminal only. The
// function it returns takes it away.
func showEvalProgress(w io.Writer, p *eval.Progress) (stop func()) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func() {}
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		var bar *progressbar.ProgressBar
		for drawn := int64(0); ; {
			select {
			case <-done:
				if bar != nil {
					_ = bar.Clear()
				}
				return
			case <-tick.C:
			}
			if step := p.Step.Load(); step != drawn {
				drawn = step
				bar = newEvalBar(f, step, p.Total.Load())
			}
			if bar != nil {
				_ = bar.Set64(p.Done.Load()) // a bar that cannot be drawn is no error
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

// newEvalBar returns the bar of a step, counted from 1.
func newEvalBar(f *os.File, step, total int64) *progressbar.ProgressBar {
	return progressbar.NewOptions64(max(1, total),
		progressbar.OptionSetWriter(f),
		progressbar.OptionSetDescription(evalSteps[step-1]),
		progressbar.OptionShowBytes(step < eval.Steps),
		progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
}
