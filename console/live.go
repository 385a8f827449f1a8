package console

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"noecho/proxy/alert"
)

// How the live tail misses nothing and repeats nothing.
//
// The id of an event is the place of the stream: the number of the newest row that was seen of
// each boot that still runs, such as 01BOOTA:17,01BOOTB:4. The first pair is the row of the
// event. A browser that comes back sends the id. Of the boots in it, the rows with higher
// numbers follow; of other boots, the rows that are younger than the row of the event. Numbers
// of a boot grow, and a boot that began later has only younger rows, so no row is twice in the
// stream. A row that the memory has dropped cannot be a place: the stream then says reset, and
// the page loads its list again.

const (
	maxStreams = 32
	keepAlive  = 15 * time.Second
	maxBeside  = 64  // boots of a place, besides that of its row
	fromStart  = "-" // the place before all rows
)

// mark is the place of a stream.
type mark struct {
	boot uint32
	seq  uint64
	time int64
	seen map[uint32]uint64 // the newest row of each boot
}

// newest returns the place behind all rows. The caller has locked the store.
func newest(s *store) *mark {
	m := &mark{seen: map[uint32]uint64{}}
	if s.n == 0 {
		return m
	}
	for n, b := range s.boots {
		m.seen[uint32(n)] = b.seen[len(b.seen)-1].last
	}
	last := s.at(s.n - 1)
	m.boot, m.seq, m.time = last.boot, last.seq, s.until
	return m
}

// pass moves the place behind a row.
func (m *mark) pass(r *row) {
	m.boot, m.seq, m.time = r.boot, r.seq, max(m.time, r.time)
	m.seen[r.boot] = max(m.seen[r.boot], r.seq)
}

// behind reports whether a row comes after the place.
func (m *mark) behind(r *row) bool {
	if seq, ok := m.seen[r.boot]; ok {
		return r.seq > seq
	}
	return r.time > m.time
}

// id writes the place. The caller has locked the store.
func (m *mark) id(s *store) string {
	if m.seq == 0 {
		return fromStart
	}
	out := s.boots[m.boot].id + ":" + strconv.FormatUint(m.seq, 10)
	var others []uint32
	for boot := range m.seen {
		if s.until-s.boots[boot].last < int64(time.Hour) && (boot != m.boot || m.seen[boot] != m.seq) {
			others = append(others, boot)
		}
	}
	slices.SortFunc(others, func(a, b uint32) int { return cmp.Compare(s.boots[b].last, s.boots[a].last) })
	for _, boot := range others[:min(len(others), maxBeside)] {
		out += "," + s.boots[boot].id + ":" + strconv.FormatUint(m.seen[boot], 10)
	}
	return out
}

// readMark reads a place; nil if its row is not known any more. The caller has locked the store.
func readMark(s *store, id string) *mark {
	m := &mark{seen: map[uint32]uint64{}}
	if id == fromStart {
		return m
	}
	for i, pair := range strings.Split(id, ",") {
		bootID, number, _ := strings.Cut(pair, ":")
		seq, err := strconv.ParseUint(number, 10, 64)
		boot, known := s.byBoot[bootID]
		switch {
		case err != nil || !known && i == 0:
			return nil
		case !known:
			continue
		case i == 0:
			r := s.find(bootID, seq)
			if r == nil {
				return nil
			}
			m.boot, m.seq, m.time = boot, seq, r.time
		}
		m.seen[boot] = max(m.seen[boot], seq)
	}
	return m
}

// answerLive streams the rows that come.
func answerLive(c *Console, w http.ResponseWriter, r *request) (any, error) {
	f, err := newFilter(r.URL.Query(), alert.TypeFinding)
	if err != nil {
		return nil, err
	}
	select {
	case c.streams <- struct{}{}:
		defer func() { <-c.streams }()
	default:
		return nil, &fault{http.StatusServiceUnavailable, errors.New("too many pages follow the alerts: close one")}
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // that of the server is for requests
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	at, out := begin(c, cmp.Or(r.Header.Get("Last-Event-ID"), r.URL.Query().Get("after")))
	ticker := time.NewTicker(keepAlive)
	defer ticker.Stop()
	for {
		var news <-chan struct{}
		if at != nil {
			var rows []byte
			rows, news = rowsBehind(c, at, f)
			out = append(out, rows...)
		}
		_ = control.SetWriteDeadline(time.Now().Add(keepAlive))
		if _, err := w.Write(out); err != nil || control.Flush() != nil {
			return nil, nil
		}
		out = out[:0]
		select {
		case <-news:
		case <-ticker.C:
			if !c.access.still(r) {
				return nil, nil
			}
			out = placeEvent(c, out, at)
		case <-r.Context().Done():
			return nil, nil
		case <-c.ended:
			return nil, nil
		}
	}
}

// still reports whether the person of a stream may still see it.
func (g *gate) still(r *request) bool { return g.person(r.Request).Role >= Viewer }

// begin returns the place at which a stream goes on, nil if it is not known any more, and the
// first event.
func begin(c *Console, id string) (*mark, []byte) {
	s := c.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	at := newest(s)
	if id != "" {
		at = readMark(s, id)
	}
	if at == nil {
		return nil, []byte("event: reset\ndata: {}\n\n")
	}
	return at, placed(c, nil, at)
}

// placeEvent appends the event that tells a page its place.
func placeEvent(c *Console, dst []byte, at *mark) []byte {
	c.store.mu.RLock()
	defer c.store.mu.RUnlock()
	return placed(c, dst, at)
}

func placed(c *Console, dst []byte, at *mark) []byte {
	data, _ := json.Marshal(map[string]any{"known": c.known()})
	if at == nil {
		return append(dst, ":\n\n"...)
	}
	return fmt.Appendf(dst, "id: %s\nevent: at\ndata: %s\n\n", at.id(c.store), data)
}

// liveRows is the number of rows that a stream writes at once.
const liveRows = 500

// rowsBehind returns the events of the rows behind a place, moves it, and returns a channel that
// is closed when there are more.
func rowsBehind(c *Console, at *mark, f *filter) (out []byte, news <-chan struct{}) {
	s := c.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	clear(f.known)
	first := s.n
	for first > 0 && s.at(first-1).time > at.time-int64(time.Hour) { // some files come late
		first--
	}
	written := 0
	for i := first; i < s.n; i++ {
		r := s.at(i)
		if !at.behind(r) {
			continue
		}
		if written == liveRows {
			ready := make(chan struct{})
			close(ready)
			return out, ready
		}
		at.pass(r)
		if f.shows(s, r) {
			data, _ := json.Marshal(s.view(r))
			out = fmt.Appendf(out, "id: %s\nevent: row\ndata: %s\n\n", at.id(s), data)
			written++
		}
	}
	return out, s.news
}
