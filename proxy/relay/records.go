package relay

import (
	"strconv"

	"noecho/detect"
	"noecho/proxy/wire"
)

// record judges a message that is an answer of its own, as Whole judges
// a body, and forgets it: texts of different records never join, and the memory
// of a record is that of the next one. One that is withheld leaves as the
// family's record of a request that failed.
func (r *Relay) record(dst []byte, m wire.Message) []byte {
	q := &r.queue
	raw := q.rest()
	err := r.read(raw, m)
	r.channels.finish()
	switch {
	case err != nil && r.passes():
		r.counts.Passed += int64(len(raw))
	case err != nil:
		r.counts.Refused += int64(len(raw))
	default:
		r.counts.Scanned += int64(len(raw))
	}
	switch {
	case !r.cfg.Hold:
	case err != nil && r.passes():
		dst = append(dst, raw...)
	case err != nil:
		dst = r.instead(dst, raw, m, failRefused)
	default:
		dst = r.judged(dst, raw, m)
	}
	r.begun = true
	q.reset()
	r.channels.next()
	r.locator.Forget()
	return dst
}

// judged appends a record as its texts allow.
func (r *Relay) judged(dst, raw []byte, m wire.Message) []byte {
	switch fate := r.channels.judge(r.queue.refs); {
	case fate == untouched:
		return append(dst, raw...)
	case fate == blockHere:
		return r.instead(dst, raw, m, failBlocked)
	default:
		return r.spliceInto(dst, raw, r.queue.refs, inText)
	}
}

// instead appends a record that says why the real one is withheld. It ends as
// that one does.
func (r *Relay) instead(dst, raw []byte, m wire.Message, why wire.Failure) []byte {
	dst = r.cfg.Family.Record(dst, m.Payload, why)
	return append(dst, raw[m.At+len(m.Payload):]...)
}

// next forgets what was read, so that a new answer can be. What is reported
// then says which one it stands in.
func (s *channelSet) next() {
	for _, ch := range s.list {
		s.spare = append(s.spare, ch.det)
	}
	clear(s.list)
	s.list, s.choices, s.none = s.list[:0], s.choices[:0], &choice{number: -1}
	s.record, s.withheld, s.finished = s.record+1, false, false
}

// detector returns a detector for a new channel.
func (s *channelSet) detector(cfg detect.Config) *detect.Detector {
	if n := len(s.spare) - 1; n >= 0 {
		d := s.spare[n]
		s.spare = s.spare[:n]
		d.Reset(s.cfg.Set, s.cfg.Spec, cfg)
		return d
	}
	return detect.New(s.cfg.Set, s.cfg.Spec, cfg)
}

// label is a channel's name in an alert.
func (s *channelSet) label(ch *channel) string {
	if s.cfg.Framing == wire.Records {
		return "lines." + strconv.Itoa(s.record) + "." + ch.label()
	}
	return ch.label()
}
