package outbox

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"noecho/audit"
	"noecho/proxy/alert"
)

// How a spool is laid out.
//
// A spool is a folder of segments, files that are named by a number with the ending .lines. A
// process appends to a segment of its own, begun when it opens the spool, so that it never
// has to mend a file. A segment is a row of records:
//
//	length of the text  4 bytes, little endian
//	checksum            4 bytes, CRC-32C of all that follows
//	seq                 8 bytes
//	boot                26 bytes
//	kind                1 byte: 1 if the line is a gap record, else 0
//	text
//
// The file position has the number of the segment and the offset of the oldest line that is
// still to be sent. It is written behind the lines, so it may be old after a crash: lines are
// then sent again. A segment whose lines are all sent is removed. The file lock belongs to the
// one process that has the spool open.
//
// The file lost has its bytes from the beginning, so that it can be written when the disk is
// full. A process that ends with events for which the spool has no room writes there which they
// are; the next one puts gap records into the spool. See debt.
//
// Reading a segment ends at the first record whose checksum is wrong. The end of the newest
// segment of a process that was killed may be such a record: its line was never written whole.

const (
	recordHead = 4 + 4 + 8 + bootLength + 1
	bootLength = 26
	segmentEnd = ".lines"
	maxSegment = 4 << 20 // a segment is ended when it would outgrow this, or a quarter of the limit
	maxText    = 8 << 20 // no event is so long
	lockTime   = 5 * time.Second
)

// errFull makes the log keep its events in memory.
var errFull = errors.New("the spool is full")

// segment is one file of a spool.
type segment struct {
	number uint64
	size   int64
	left   uint64 // events that are not sent
	last   Line   // the last of them, without its text
}

// spool is a queue of lines on disk. Its methods may be called from two goroutines, one that
// puts lines and one that takes them.
type spool struct {
	dir       string
	limit     int64
	lock      *os.File
	grown     chan struct{} // of capacity 1: there may be a line, or the end
	inherited uint64        // events that an earlier process had left
	waiting   atomic.Uint64 // events

	mu       sync.Mutex
	segments []segment // the oldest first; the last one is written
	bytes    int64     // of all segments
	out      *os.File  // the last segment; nil: it is not open
	dirty    bool      // out has lines that are not synced
	named    bool      // the name of out is durable
	failed   bool      // the last write failed
	in       *os.File  // the first segment; nil: it is not open
	offset   int64     // of the oldest line in the first segment
	moved    bool      // offset is not saved
	shown    []shown   // the records that oldest has returned
	saved    *os.File  // the file position
	ledger   *os.File  // the file lost
	debts    []debt    // of it; only the goroutine that puts lines may use them
	buffer   []byte    // of those records
	holes    []segment // damaged segments, whose left events are lost
}

// shown is a record that was read.
type shown struct {
	length int64
	gap    bool
}

// openSpool opens or makes a spool.
func openSpool(dir string, limit int64) (*spool, error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), lockTime)
	defer cancel()
	lock, err := audit.Lock(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	s := &spool{dir: dir, limit: limit, lock: lock, grown: make(chan struct{}, 1)}
	if err := errors.Join(lock.Chmod(0o600), s.load()); err != nil { // the lock of an audit log may be read
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// load finds the segments and the oldest line, and begins a segment.
func (s *spool) load() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	if s.saved, err = os.OpenFile(filepath.Join(s.dir, "position"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	if err := s.loadDebts(); err != nil {
		return err
	}
	first, offset := s.position()
	last := first
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), segmentEnd)
		number, err := strconv.ParseUint(name, 10, 64)
		info, infoErr := e.Info()
		if !ok || err != nil || infoErr != nil || !info.Mode().IsRegular() {
			continue
		}
		last = max(last, number)
		if number < first { // a crash came before it was removed
			_ = os.Remove(s.path(number)) // its lines are sent, whether it goes or not
			continue
		}
		s.segments = append(s.segments, segment{number: number, size: info.Size()})
		s.bytes += info.Size()
	}
	slices.SortFunc(s.segments, func(a, b segment) int { return int(min(1, max(-1, int64(a.number)-int64(b.number)))) })
	if len(s.segments) > 0 && s.segments[0].number == first {
		s.offset = offset
	}
	if err := s.count(); err != nil {
		return err
	}
	s.inherited = s.waiting.Load()
	for _, d := range s.debts {
		s.inherited += d.lost
	}
	return s.begin(last + 1)
}

// count counts the events behind the position.
func (s *spool) count() error {
	offset := s.offset
	for i := range s.segments {
		g := &s.segments[i]
		f, err := os.Open(s.path(g.number))
		if err != nil {
			return err
		}
		for n := int64(1); n > 0 && err == nil; offset += n {
			var l Line
			l, n, err = s.record(f, offset, g.size)
			if n > 0 {
				g.add(l)
			}
			s.buffer = s.buffer[:0]
		}
		_ = f.Close()
		if err != nil {
			return err
		}
		s.waiting.Add(g.left)
		offset = 0
	}
	return nil
}

// add counts a line of the segment.
func (g *segment) add(l Line) {
	if !l.gap {
		g.left++
		g.last = Line{Boot: l.Boot, Seq: l.Seq}
	}
}

func (s *spool) path(number uint64) string {
	return filepath.Join(s.dir, fmt.Sprintf("%016d%s", number, segmentEnd))
}

// begin ends the segment that is written and begins one of this number.
func (s *spool) begin(number uint64) error {
	f, err := os.OpenFile(s.path(number), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if s.out != nil {
		err = errors.Join(s.out.Sync(), s.out.Close())
	}
	s.out, s.dirty, s.named = f, false, false
	s.segments = append(s.segments, segment{number: number})
	return err
}

// put appends a line. After an error nothing of it is in the spool.
func (s *spool) put(l Line) error {
	size := int64(recordHead + len(l.Text))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes+size > s.limit || size > maxText {
		return errFull
	}
	last := &s.segments[len(s.segments)-1]
	if last.size > 0 && (s.failed || last.size+size > min(maxSegment, s.limit/4)) {
		if err := s.begin(last.number + 1); err != nil {
			return err
		}
		last = &s.segments[len(s.segments)-1]
	}
	record := make([]byte, recordHead, size)
	binary.LittleEndian.PutUint32(record, uint32(len(l.Text)))
	binary.LittleEndian.PutUint64(record[8:], l.Seq)
	copy(record[16:16+bootLength], l.Boot)
	if l.gap {
		record[recordHead-1] = 1
	}
	record = append(record, l.Text...)
	binary.LittleEndian.PutUint32(record[4:], checksum(record[8:]))
	_, err := s.out.WriteAt(record, last.size)
	s.failed = err != nil // then the next line goes to a new segment, so that this one can be sent and removed
	if err != nil {
		return err
	}
	last.size += size
	s.bytes += size
	s.dirty = true
	last.add(l)
	if !l.gap {
		s.waiting.Add(1)
	}
	s.signal()
	return nil
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func (s *spool) signal() {
	select {
	case s.grown <- struct{}{}:
	default:
	}
}

// record reads the record at an offset of a segment. n is its length, 0 if there is none. The
// text is in the buffer of the spool.
func (s *spool) record(f *os.File, offset, size int64) (l Line, n int64, err error) {
	var head [recordHead]byte
	if offset+recordHead > size {
		return Line{}, 0, nil
	}
	if _, err := f.ReadAt(head[:], offset); err != nil {
		return Line{}, 0, err
	}
	length := int64(binary.LittleEndian.Uint32(head[:]))
	if length > maxText || offset+recordHead+length > size {
		return Line{}, 0, nil
	}
	from := len(s.buffer)
	s.buffer = slices.Grow(s.buffer, int(length))[:from+int(length)]
	text := s.buffer[from:]
	if _, err := f.ReadAt(text, offset+recordHead); err != nil {
		return Line{}, 0, err
	}
	if crc32.Update(checksum(head[8:]), crc32.MakeTable(crc32.Castagnoli), text) != binary.LittleEndian.Uint32(head[4:]) {
		return Line{}, 0, nil
	}
	boot := string(bytes.TrimRight(head[16:16+bootLength], "\x00"))
	return Line{Boot: boot, Seq: binary.LittleEndian.Uint64(head[8:]), Text: text, gap: head[recordHead-1] == 1}, recordHead + length, nil
}

// oldest returns the oldest lines, none if the spool is empty. They are valid until the next
// call.
func (s *spool) oldest() ([]Line, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		lines, err := s.read()
		if err != nil || len(lines) > 0 {
			return lines, err
		}
		if len(s.segments) == 1 {
			if s.offset >= s.segments[0].size {
				return nil, s.save()
			}
			if err := s.begin(s.segments[0].number + 1); err != nil { // the disk has changed a record
				return nil, err
			}
		}
		s.advance()
	}
}

// read reads the oldest lines of the first segment.
func (s *spool) read() (lines []Line, err error) {
	first := s.segments[0]
	if s.in == nil && s.offset < first.size {
		if s.in, err = os.Open(s.path(first.number)); err != nil {
			return nil, err
		}
	}
	s.buffer, s.shown = s.buffer[:0], s.shown[:0]
	offset := s.offset
	for len(lines) < maxLines && len(s.buffer) < maxBytes && offset < first.size {
		l, n, err := s.record(s.in, offset, first.size)
		if err != nil || n == 0 {
			return lines, err
		}
		lines, s.shown = append(lines, l), append(s.shown, shown{n, l.gap})
		offset += n
	}
	return lines, nil
}

// advance removes the first segment. Events that are left in it cannot be read.
func (s *spool) advance() {
	if s.in != nil {
		_ = s.in.Close()
		s.in = nil
	}
	gone := s.segments[0]
	_ = os.Remove(s.path(gone.number)) // the position is behind it, whether it goes or not
	s.segments, s.offset, s.moved = s.segments[1:], 0, true
	s.bytes -= gone.size
	if gone.left > 0 {
		s.holes = append(s.holes, gone)
		s.waiting.Add(-gone.left)
	}
}

// hole returns a damaged segment that was not returned yet.
func (s *spool) hole() (segment, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.holes) == 0 {
		return segment{}, false
	}
	h := s.holes[0]
	s.holes = s.holes[1:]
	return h, true
}

// drop removes the first lines of those that oldest has returned. It returns how many of them
// are events.
func (s *spool) drop(n int) (events uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.shown[:n] {
		s.offset += r.length
		if !r.gap {
			events++
		}
	}
	s.shown = s.shown[n:]
	s.segments[0].left -= events
	s.waiting.Add(-events)
	s.moved = true
	return events
}

// position returns the position that was saved, the beginning if it cannot be read.
func (s *spool) position() (number uint64, offset int64) {
	var b [20]byte
	if _, err := s.saved.ReadAt(b[:], 0); err != nil || checksum(b[4:]) != binary.LittleEndian.Uint32(b[:]) {
		return 0, 0
	}
	return binary.LittleEndian.Uint64(b[4:]), int64(binary.LittleEndian.Uint64(b[12:]))
}

// save writes the position, if it has moved.
func (s *spool) save() error {
	if !s.moved {
		return nil
	}
	var b [20]byte
	binary.LittleEndian.PutUint64(b[4:], s.segments[0].number)
	binary.LittleEndian.PutUint64(b[12:], uint64(s.offset))
	binary.LittleEndian.PutUint32(b[:], checksum(b[4:]))
	_, err := s.saved.WriteAt(b[:], 0)
	s.moved = err != nil
	return err
}

// sync makes the lines durable and saves the position.
func (s *spool) sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.save()
	if s.dirty {
		e := s.out.Sync()
		if e == nil && !s.named {
			e = alert.SyncDir(s.out.Name())
			s.named = e == nil
		}
		s.dirty = e != nil
		err = errors.Join(err, e)
	}
	return err
}

// close saves the position and ends the ownership.
func (s *spool) close() error {
	var errs []error
	if s.out != nil {
		errs = append(errs, s.sync())
	}
	for _, f := range [...]*os.File{s.out, s.in, s.saved, s.ledger, s.lock} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
