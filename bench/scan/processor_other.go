//go:build !unix

package main

import "time"

// processorTime is the time of day: the processor time is not known here.
func processorTime() time.Duration { return time.Duration(time.Now().UnixNano()) }
