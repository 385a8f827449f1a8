package relay

import (
	"bytes"

	"noecho/proxy/wire"
)

// alike reads messages that differ from one before in nothing but a text, as nearly all
// messages of a stream do:
//
//	data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n
//	                                       ^^ the text
//
// Their places are those of that message, moved, so that nobody has to look for lines, members
// and channels.
type alike struct {
	before, after []byte // the bytes around the text
	refs          []ref  // the places of the message
	text          int    // the one with the text; -1: there is no such message
	at            int    // where its payload begins
	length        int    // of its payload
}

// The most that is read before the texts are judged together, and the most places of a message.
const (
	togetherBytes    = 256
	togetherMessages = 16
	mostAlike        = 32 // places in a message
)

// forget drops the message and keeps little storage.
func (a *alike) forget() {
	*a = alike{before: emptied(a.before, keepPooled), after: emptied(a.after, keepPooled), refs: emptied(a.refs, minPooled), text: -1}
}

// learn notes raw, a message that was read as m, with these places, if it says a piece of the
// text of a choice and does nothing else to the answer, such as end a choice. Only events whose
// lines end with LF are cut in the same way behind any others.
func (a *alike) learn(r *Relay, raw []byte, m wire.Message, fields []wire.Field) {
	a.text = -1
	refs := r.queue.refs[r.channels.firstRef:]
	if r.cfg.Framing != wire.SSE || m.At < 0 || m.Foreign || len(m.Extras) > 0 || len(fields) != len(refs) || len(fields) > mostAlike ||
		raw[0] < 'a' || !bytes.HasSuffix(raw, []byte("\n\n")) || bytes.IndexByte(raw, '\r') >= 0 {
		return
	}
	text := -1
	for i := range fields {
		f, p := &fields[i], &refs[i]
		switch {
		case p.channel == nil && (f.Role == wire.Begin || f.Role == wire.Drop || f.Role == wire.DropMessage):
		case text < 0 && f.Open && p.goesOn() && f.Role == wire.Text && f.Rule >= 0 && !f.Separate && !f.Whole:
			text = i
		default:
			return
		}
	}
	if text < 0 {
		return
	}
	p := &refs[text]
	a.before, a.after = append(a.before[:0], raw[:p.at+1]...), append(a.after[:0], raw[p.end-1:]...)
	a.refs, a.text, a.at, a.length = append(a.refs[:0], refs...), text, m.At, len(m.Payload)
}

// goesOn reports whether a place has a plain piece of what a choice says, with which its
// channel may go on.
func (p *ref) goesOn() bool {
	return p.channel != nil && p.role == wire.Text && p.form == wire.Plain && p.channel.role == wire.Text && !p.channel.repeat.complete
}

// match returns the text of the message at the beginning of p and the length of the message. It
// is 0 if p does not begin with a whole message of the shape, or its text has escapes.
func (a *alike) match(p []byte) (text []byte, length int) {
	if a.text < 0 || !bytes.HasPrefix(p, a.before) {
		return nil, 0
	}
	lo := len(a.before)
	n := 0
	for lo+n < len(p) && p[lo+n] >= ' ' && p[lo+n] != '"' && p[lo+n] != '\\' {
		n++
	}
	if n == 0 || !bytes.HasPrefix(p[lo+n:], a.after) {
		return nil, 0
	}
	return p[lo : lo+n], lo + n + len(a.after)
}

// read reads the messages at the beginning of p that are like the last one, and returns the
// number of their bytes. It judges the texts of several messages together where that gives the
// decisions of judging one after the other.
func (a *alike) read(r *Relay, dst, p []byte) ([]byte, int) {
	s := &r.channels
	if a.text < 0 || r.state != relayRuns || r.queue.partial() > 0 {
		return dst, 0
	}
	s.text = s.text[:0]
	read, waiting := 0, 0
	for r.state != relayEnded {
		text, n := a.match(p[read:])
		if n > 0 {
			a.say(r, p[read:read+n], text)
			read, waiting = read+n, waiting+1
			if len(s.text) < togetherBytes && waiting < togetherMessages && a.together(r) {
				continue
			}
		}
		if waiting > 0 {
			ch := a.refs[a.text].channel
			s.segments = ch.det.Append(s.segments[:0], s.text)
			s.decide(ch)
			s.text, waiting = s.text[:0], 0
			dst = r.leave(dst)
		}
		if n == 0 {
			break
		}
	}
	return dst, read
}

// together reports whether the text of the next message may be judged together with those
// before: no finding of it can end the answer before the message is read, no word is cut over
// it and another channel, and the queue has room.
func (a *alike) together(r *Relay) bool {
	q := &r.queue
	return !r.cfg.Block && r.channels.speakers == 1 && q.held() < maxQueued/2 && q.tail-q.head < maxQueue/2
}

// say queues the message raw and adds its text to those that are judged next.
func (a *alike) say(r *Relay, raw, text []byte) {
	s, q, ch := &r.channels, &r.queue, a.refs[a.text].channel
	s.message++
	s.text = append(s.text, text...)
	lo := ch.length
	ch.length += int64(len(text))
	ch.fed, ch.choice.spoke = s.message, s.message
	ch.repeat.read(text)
	r.counts.Scanned += int64(len(raw))
	if !r.cfg.Hold {
		return
	}
	end := len(a.before)
	moved := len(raw) - end - len(a.after) - (a.refs[a.text].end - 1 - end)
	for _, p := range a.refs {
		if p.role == wire.Begin && p.choice.state != choiceUnseen {
			continue
		}
		if p.at > end {
			p.at += moved
		}
		if p.end > end {
			p.end += moved
		}
		if p.channel != nil {
			p.lo, p.hi = lo, ch.length
		}
		q.refs = append(q.refs, p)
	}
	q.buf = append(q.buf, raw...)
	followed := 0
	if r.ending != nil {
		followed = a.length + moved
	}
	q.push(a.at, followed)
}
