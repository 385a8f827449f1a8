package relay

import (
	"bytes"

	"noecho/proxy/wire"
)

// Whole judges an unstreamed body and appends what the caller gets instead.
// Status 0 keeps the upstream's status; 400 comes with the family's error body
// and an error that matches ErrEnded.
func (r *Relay) Whole(dst, body []byte) (out []byte, status int, err error) {
	q := &r.queue
	q.buf = body
	m := r.framer.Parse(body)
	if err := r.read(body, m); err != nil && !r.readText(body) {
		return r.unscannable(dst, body)
	}
	r.counts.Scanned += int64(len(body))
	r.channels.finish()
	if !r.cfg.Hold {
		r.leave()
		return append(dst, body...), 0, nil
	}
	fate := r.channels.judge(q.refs)
	switch {
	case fate == blockHere:
		r.leave()
		r.err = ErrBlocked
		return r.cfg.Family.Failure(dst, failBlocked), 400, r.err
	case fate == untouched:
		dst = append(dst, body...)
	default:
		dst = r.spliceInto(dst, body, q.refs, inText)
	}
	r.leave()
	return dst, 0, nil
}

// readText reads the body of an error as plain text if it is no JSON: servers
// and the proxies before them send all kinds of error pages.
func (r *Relay) readText(body []byte) bool {
	if r.cfg.Status < 400 || inPieces(body) {
		return false
	}
	var err error
	r.queue.refs, err = r.channels.extra(r.queue.refs[:0], body, wire.Field{Name: "body", Role: wire.Metadata, Hi: len(body)})
	return err == nil
}

// inPieces reports whether a text looks like a stream with another label: events,
// or a JSON object on each of several lines. Read as it stands it would hide a text
// that its messages carry in pieces.
func inPieces(body []byte) bool {
	objects := 0
	for line := range bytes.FieldsFuncSeq(body, func(c rune) bool { return c == '\r' || c == '\n' }) {
		line = bytes.TrimSpace(line)
		if bytes.HasPrefix(line, []byte("data:")) {
			return true
		}
		if bytes.HasPrefix(line, []byte{'{'}) && bytes.HasSuffix(line, []byte{'}'}) {
			objects++
		}
	}
	return objects > 1
}

// unscannable answers a body that cannot be scanned.
func (r *Relay) unscannable(dst, body []byte) ([]byte, int, error) {
	r.channels.finish()
	r.leave()
	if r.passes() {
		r.counts.Passed += int64(len(body))
		return append(dst, body...), 0, nil
	}
	r.counts.Refused += int64(len(body))
	r.err = ErrRefused
	return r.cfg.Family.Failure(dst, failRefused), 400, r.err
}

// leave ends the relay and lets go of the body, which belongs to the caller.
func (r *Relay) leave() {
	r.queue = queue{}
	r.state = relayEnded
}
