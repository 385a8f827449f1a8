package main

import (
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// Of a container's memory the Go heap gets what the indexes, which lie outside
// it, and a reserve for stacks and the kernel's buffers leave.
const (
	memoryReserve = 10       // per cent
	memoryLeast   = 64 << 20 // bytes: below, collecting would be all it does
)

// limitMemory tells the garbage collector how much memory the container has,
// unless GOMEMLIMIT does. Without it the heap grows to twice the live data
// whatever the limit is, and the process is killed.
func limitMemory(log *slog.Logger, getenv func(string) string, indexBytes int64) {
	if getenv("GOMEMLIMIT") != "" {
		return
	}
	if limit, ok := heapLimit(readCgroup(), indexBytes); ok {
		debug.SetMemoryLimit(limit)
		log.Info("memory limit set from the control group", "heap_bytes", limit)
	}
}

// heapLimit is the heap's share of a control group's memory.max.
func heapLimit(memoryMax string, indexBytes int64) (int64, bool) {
	total, err := strconv.ParseInt(strings.TrimSpace(memoryMax), 10, 64)
	if err != nil || total <= 0 { // "max": no limit
		return 0, false
	}
	return max(total-total/100*memoryReserve-indexBytes, memoryLeast), true
}

// readCgroup returns the memory limit of the control group, or "".
func readCgroup() string {
	b, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err != nil {
		return ""
	}
	return string(b)
}
