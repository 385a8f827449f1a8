package main

import (
	"os"
	"syscall"
)

// peakMiB returns the most memory that a process had, pages of mapped files included.
func peakMiB(state *os.ProcessState) float64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return float64(usage.Maxrss) / 1024 // Linux counts KiB
}
