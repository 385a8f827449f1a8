//go:build !linux

package main

import "os"

// peakMiB returns 0: other systems count in other units, or not at all.
func peakMiB(*os.ProcessState) float64 { return 0 }
