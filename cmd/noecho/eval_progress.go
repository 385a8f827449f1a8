package main

import (
	"io"

	"github.com/schollz/progressbar/v3"

	"noecho/eval"
)

// evalSteps name what a measurement does, in order.
var evalSteps = [eval.Steps]string{"reading the corpus", "drawing passages", "disguises"}

// showEvalProgress draws a bar while a measurement runs, on a terminal only. The
// function it returns takes it away.
func showEvalProgress(w io.Writer, p *eval.Progress) (stop func()) {
	return showGauge(w, gauge{step: p.Step.Load, done: p.Done.Load, bar: func() stepBar {
		step := p.Step.Load()
		return stepBar{
			name:  evalSteps[step-1],
			total: max(1, p.Total.Load()),
			unit:  progressbar.OptionShowBytes(step < eval.Steps),
		}
	}})
}
