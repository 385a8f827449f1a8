package outbox

import (
	"slices"
	"time"
)

// A gap record that the receiver refuses is kept until it takes it. While events behind it are
// refused too, the record grows to cover them. It is sent again when it grows, and every
// keptPause. Close puts it into the spool, for the next process.

const (
	keptPause = time.Minute // between two attempts
	maxKept   = 64          // records; the oldest goes if there are more
)

// keep keeps a gap record that was refused.
func (b *Outbox) keep(g *gapRecord) {
	b.kept = append(b.kept, g)
	b.kept = b.kept[max(0, len(b.kept)-maxKept):]
	b.grows, b.keptNext = g.lost > 0, time.Now().Add(keptPause)
}

// refusedEvent returns the gap record in place of an event. It covers those of the newest kept
// record too, if the receiver has taken nothing since.
func (b *Outbox) refusedEvent(l Line) *gapRecord {
	lost, told := uint64(1), uint64(0)
	if n := len(b.kept); n > 0 && b.grows && b.kept[n-1].line.Boot == l.Boot && b.kept[n-1].line.Seq < l.Seq {
		k := b.kept[n-1]
		told = k.lost + l.Seq - k.line.Seq - 1 // those between are not for this receiver
		lost = told + 1
		b.kept = b.kept[:n-1]
	}
	g := b.gap(l, lost, "sink refused the event")
	g.told, g.drops = told, 1
	return g
}

// keptDue reports whether it is time to send the kept records again.
func (b *Outbox) keptDue() bool { return len(b.kept) > 0 && !time.Now().Before(b.keptNext) }

// sendKept sends the kept records. The first that is refused again ends the attempt.
func (b *Outbox) sendKept() error {
	for b.keptDue() {
		_, err := b.opts.Peer.Send(b.ctx, []Line{b.kept[0].line})
		switch {
		case err == nil:
			b.kept = b.kept[1:]
			b.gaps.Add(1)
		case b.refuses(err):
			b.keptNext = time.Now().Add(keptPause)
		default:
			return err
		}
	}
	return nil
}

// spoolKept puts the kept records into the spool.
func (b *Outbox) spoolKept() error {
	for _, g := range b.kept {
		if err := b.spool.put(g.line); err != nil {
			return err
		}
	}
	b.kept = nil
	return nil
}

// keepLine keeps a gap record of the spool.
func (b *Outbox) keepLine(l Line) {
	l.Text = slices.Clone(l.Text)
	b.keep(&gapRecord{line: l})
}
