package trace

import (
	"context"
	"crypto/tls"
	"errors"
	"net/url"
	"sync"
	"time"

	"noecho/internal/post"
)

// Answer is one answer with its times. Texts are names of the configuration, or ids; none is of a
// request's or an answer's body.
type Answer struct {
	Context   Context
	Begun     time.Time
	Asked     time.Time // when the model server was asked; zero: it was not
	Head      time.Time // when the head of its answer had come; zero: it did not
	Ended     time.Time
	Method    string
	Route     string // empty: none is open
	API       string
	Mode      string
	Action    string
	RequestID string
	Upstream  string // host of the model server
	Status    int
	Answered  int  // status of the model server
	Failed    bool // the answer broke off
	Bytes     int64
}

// spans returns how many spans an answer has.
func (a *Answer) spans() uint64 {
	switch {
	case a.Asked.IsZero():
		return 1
	case a.Head.IsZero():
		return 2
	default:
		return 3
	}
}

// Bounds of the answers that wait, and of the time for which they do.
const (
	maxWaiting = 2048
	batch      = 512
	sendEvery  = 5 * time.Second
)

// Attempts to send a batch, and the pause after the first; each further one is twice as long.
const (
	attempts   = 4
	firstPause = time.Second
	lastTime   = 3 * time.Second // for what waits when the tracer is closed
)

// Collector takes the body of an OTLP request. Every error is a [*post.Error].
type Collector interface {
	Post(ctx context.Context, body []byte, header map[string]string) (answer []byte, err error)
}

// HTTP returns the collector at an address. token is a bearer token, or empty.
func HTTP(address *url.URL, token string, secure *tls.Config) Collector {
	header := map[string]string{"content-type": "application/x-protobuf", "user-agent": "noecho"}
	if token != "" {
		header["authorization"] = "Bearer " + token
	}
	return post.New(post.Options{URL: address, Header: header, TLS: secure})
}

// Options are the options of [Open].
type Options struct {
	Collector Collector
	Share     float64 // of the traces that begin here, 0 to 1
	Instance  string  // name of this instance of noecho
	Version   string
}

// Tracer sends spans. Safe for concurrent use. A nil *Tracer sends none.
type Tracer struct {
	collector Collector
	share     float64
	resource  []byte
	wake      chan struct{} // of capacity 1: a batch waits
	cancel    context.CancelFunc
	ended     chan struct{}

	mu      sync.Mutex
	waiting []Answer
	sent    uint64 // spans
	dropped uint64 // spans
}

// Open returns a tracer. Close it.
func Open(o Options) *Tracer {
	ctx, cancel := context.WithCancel(context.Background())
	t := &Tracer{
		collector: o.Collector, share: o.Share, resource: appendResource(nil, o.Instance, o.Version),
		wake: make(chan struct{}, 1), cancel: cancel, ended: make(chan struct{}),
	}
	go t.run(ctx)
	return t
}

// Add hands over an answer that has ended. It never waits: if too many answers wait already, the
// spans of this one are dropped and counted.
func (t *Tracer) Add(a Answer) {
	if t == nil || !a.Context.Sampled {
		return
	}
	t.mu.Lock()
	if len(t.waiting) >= maxWaiting {
		t.dropped += a.spans()
		t.mu.Unlock()
		return
	}
	t.waiting = append(t.waiting, a)
	full := len(t.waiting) == batch
	t.mu.Unlock()
	if full {
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
}

// Counts returns how many spans a collector has taken, and how many were dropped.
func (t *Tracer) Counts() (sent, dropped uint64) {
	if t == nil {
		return 0, 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sent, t.dropped
}

// Close sends the spans that wait, in a few seconds at most, and drops the others. Call it once.
func (t *Tracer) Close() {
	if t != nil {
		t.cancel()
		<-t.ended
	}
}

// run sends what waits until ctx ends.
func (t *Tracer) run(ctx context.Context) {
	defer close(t.ended)
	ticker := time.NewTicker(sendEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-t.wake:
		case <-ticker.C:
		case <-ctx.Done():
		}
		for ctx.Err() == nil && t.send(ctx, attempts) {
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTime)
	defer cancel()
	for t.send(last, 1) {
	}
}

// send sends one batch, and reports whether there was any.
func (t *Tracer) send(ctx context.Context, attempts int) bool {
	t.mu.Lock()
	answers := t.waiting[:min(batch, len(t.waiting))]
	t.waiting = t.waiting[len(answers):]
	if len(t.waiting) == 0 {
		t.waiting = nil // its storage would be kept otherwise
	}
	t.mu.Unlock()
	if len(answers) == 0 {
		return false
	}
	spans := uint64(0)
	for i := range answers {
		spans += answers[i].spans()
	}
	lost := t.deliver(ctx, appendRequest(nil, t.resource, answers), spans, attempts)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent += spans - lost
	t.dropped += lost
	return true
}

// deliver posts a body with so many spans, and returns how many of them were not taken.
func (t *Tracer) deliver(ctx context.Context, body []byte, spans uint64, attempts int) (lost uint64) {
	pause := firstPause
	for n := 1; ; n++ {
		answer, err := t.collector.Post(ctx, body, nil)
		if err == nil {
			return min(spans, post.Rejected(answer))
		}
		var failed *post.Error
		if n == attempts || ctx.Err() != nil || errors.As(err, &failed) && failed.Refused {
			return spans
		}
		if failed != nil && failed.After > 0 {
			pause = min(failed.After, time.Minute)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		pause *= 2
	}
}
