package main

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// gauge tells how far work in steps has come. Its functions are called while
// that goes on.
type gauge struct {
	step func() int64   // counted from 1; 0: none has begun
	done func() int64   // of the step
	bar  func() stepBar // of the step that has just begun
}

// stepBar describes one step.
type stepBar struct {
	name  string
	total int64 // -1: not known, only the rate is shown
	unit  progressbar.Option
}

// showGauge draws a bar while work goes on, on a terminal only. The function it
// returns takes it away.
func showGauge(w io.Writer, g gauge) (stop func()) {
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
			if step := g.step(); step != drawn {
				drawn = step
				bar = g.bar().draw(f)
			}
			if bar != nil {
				_ = bar.Set64(g.done()) // a bar that cannot be drawn is no error
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

func (b stepBar) draw(f *os.File) *progressbar.ProgressBar {
	return progressbar.NewOptions64(b.total,
		progressbar.OptionSetWriter(f),
		progressbar.OptionSetDescription(b.name),
		b.unit,
		progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
}
