package alert

import (
	"context"
	"time"
)

// Sink is where lines go. A Log calls a sink from one goroutine, Close
// included. A call may block: it holds up that sink alone.
type Sink interface {
	// Name tells sinks apart in statistics and gap records.
	Name() string
	// Write writes one whole line, or the rest of one after an error. It
	// returns how many bytes were written and an error if not all were.
	Write(line []byte) (int, error)
	// Sync makes what was written durable.
	Sync() error
	// Reopen follows a file that somebody else has renamed.
	Reopen() error
	Close() error
}

// DefaultQueue is the number of events kept for a sink that lags.
const DefaultQueue = 4096

// Options are what a Log is made of. The zero value is a log without sinks.
type Options struct {
	Sinks []Sink           // owned by the log from Open on
	Queue int              // events; 0 means DefaultQueue
	Now   func() time.Time // nil means time.Now
}

// Log hands events to sinks. Safe for concurrent use.
type Log struct{}

// Open starts a log. The sinks are closed by [Log.Close], and at once if Open
// fails.
func Open(opts Options) (*Log, error) { panic("skeleton") }

// Offer stamps the event and queues it. It never blocks and does not allocate.
// An event offered after Close is counted as lost.
func (l *Log) Offer(ev Event) { panic("skeleton") }

// Reopen asks every sink to open its file again, for rotation by others. It
// does not wait; a failure is counted in [SinkStats] and tried again.
func (l *Log) Reopen() { panic("skeleton") }

// Close takes no more events, writes what is queued, and closes the sinks. If
// ctx ends first, the error says how many events were left behind.
func (l *Log) Close(ctx context.Context) error { panic("skeleton") }

// Stats are a log's counters at one moment.
type Stats struct {
	Offered uint64
	Sinks   []SinkStats
}

// SinkStats are the counters of one sink. Offered = Delivered + Lost + Queued.
type SinkStats struct {
	Name      string
	Delivered uint64 // events written
	Lost      uint64 // events that fell out of the queue, reported by gap records
	Queued    uint64 // events waiting
	Gaps      uint64 // gap records written
	Errors    uint64 // calls of the sink that failed
	Down      bool   // the last call failed
}

// Stats returns the counters.
func (l *Log) Stats() Stats { panic("skeleton") }
