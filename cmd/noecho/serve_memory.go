package main

import (
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// The Go heap may use the memory of a container without the indexes, which are mapped
// outside of the heap, and without a reserve for stacks and the kernel's buffers.
const (
	memoryReserve = 10       // per cent
	memoryLeast   = 64 << 20 // bytes; with less, the program would only collect garbage
)

// limitMemory tells the garbage collector how much memory the container has, unless the
// variable GOMEMLIMIT does. Without such a limit the heap may grow to twice the live
// data, which the container may not have: the process would be killed.
func limitMemory(log *slog.Logger, getenv func(string) string, indexBytes int64) {
	if getenv("GOMEMLIMIT") != "" {
		return
	}
	if limit, ok := heapLimit(readCgroup(), indexBytes); ok {
		debug.SetMemoryLimit(limit)
		log.Info("memory limit set from the control group", "heap_bytes", limit)
	}
}

// heapLimit returns the number of bytes that the heap may use, and whether memoryMax,
// the content of the file memory.max, is a limit at all.
func heapLimit(memoryMax string, indexBytes int64) (int64, bool) {
	total, err := strconv.ParseInt(strings.TrimSpace(memoryMax), 10, 64)
	if err != nil || total <= 0 { // "max": no limit
		return 0, false
	}
	return max(total-total/100*memoryReserve-indexBytes, memoryLeast), true
}

// readCgroup returns the memory limit of the control group, empty if it has none.
func readCgroup() string {
	b, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err != nil {
		return ""
	}
	return string(b)
}
