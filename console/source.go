package console

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"noecho/proxy/alert"
)

// How alert files are followed.
//
// A file is known by the hash of its first line, which has the boot and number of an event and
// so is that of no other file. A rotation renames a file, and logrotate packs it: its first line
// stays, and so do the offsets of its lines in the unpacked text. Each look lists the files,
// reads the first line of those that changed, and goes on where the last look ended.

// maxLine bounds the length of a line in bytes. Longer ones are no alerts.
const maxLine = 1 << 20

// source is an alert file.
type source struct {
	head        uint64 // hash of the first line
	path        string // empty: the file is gone
	info        fs.FileInfo
	read        int64     // bytes of whole lines that were read, unpacked
	done        bool      // it is packed and was read to its end
	first, last time.Time // of its alerts
	boot        string    // of the first alert
	seq         uint64
}

// reader reads alert files into a store. Only one goroutine reads; the list of sources is
// guarded by the store's lock.
type reader struct {
	store   *store
	paths   []string // files and folders
	sources []*source
	now     func() time.Time
	total   int64                  // bytes of the files that this look reads, as they are on disk
	done    int64                  // those of them that were read before the current file
	failed  map[string]string      // the last error of each file
	skipped map[string]fs.FileInfo // files of other lines, by their path
	warn    func(path, problem string)
}

// rotatedName is the end of the name of a rotated file, behind that of the file.
var rotatedName = regexp.MustCompile(`^([.-][0-9]+)*(\.gz|\.zst)?$`)

// list returns the alert files that are there.
func (r *reader) list() (all []string) {
	for _, path := range r.paths {
		if st, err := os.Stat(path); err == nil && st.IsDir() {
			_ = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error { // a folder that cannot be read has no files
				if base, behind, ok := strings.Cut(filepath.Base(name), ".jsonl"); err == nil && ok && base != "" && d.Type().IsRegular() && rotatedName.MatchString(behind) {
					all = append(all, name)
				}
				return nil
			})
			continue
		}
		entries, _ := os.ReadDir(filepath.Dir(path))
		for _, d := range entries {
			if behind, ok := strings.CutPrefix(d.Name(), filepath.Base(path)); ok && rotatedName.MatchString(behind) && !d.IsDir() {
				all = append(all, filepath.Join(filepath.Dir(path), d.Name()))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// look finds new and renamed files and reads the lines that were appended since the last look.
func (r *reader) look(ctx context.Context) {
	r.find()
	r.total, r.done = 1, 0
	var due []*source
	for _, s := range r.sources {
		if s.path != "" && s.changed() {
			due = append(due, s)
			r.total += s.info.Size()
		}
	}
	slices.SortFunc(due, func(a, b *source) int { return a.first.Compare(b.first) })
	r.store.mu.RLock()
	old := r.store.n
	r.store.mu.RUnlock()
	for _, s := range due {
		err := r.readOn(ctx, s)
		r.complain(s.path, err)
		r.done += s.info.Size()
		r.store.mu.Lock()
		if r.store.n > r.store.limit+r.store.limit/4 { // a first look at many files
			r.store.settle(old, r.now())
			old = r.store.n
		}
		r.store.mu.Unlock()
	}
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	if len(due) > 0 || r.store.loading {
		r.store.loading, r.store.loaded = false, 100
		r.store.settle(min(old, r.store.n), r.now())
	}
}

// changed reports whether the file has bytes that were not read. A packed file is read once.
func (s *source) changed() bool {
	if packed(s.path) {
		return !s.done
	}
	return s.info.Size() > s.read
}

// complain reports an error of a file once.
func (r *reader) complain(path string, err error) {
	switch {
	case err == nil:
		delete(r.failed, path)
	case r.failed[path] != err.Error() && !errors.Is(err, context.Canceled):
		r.failed[path] = err.Error()
		r.warn(path, err.Error())
	}
}

// find brings the list of sources up to date.
func (r *reader) find() {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	there, skipped := map[*source]bool{}, map[string]fs.FileInfo{}
	for _, path := range r.list() {
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		if old := r.skipped[path]; old != nil && os.SameFile(old, info) && old.Size() == info.Size() {
			skipped[path] = info
			continue
		}
		i := slices.IndexFunc(r.sources, func(s *source) bool {
			return s.path == path && os.SameFile(s.info, info) && s.info.Size() == info.Size() && s.info.ModTime().Equal(info.ModTime())
		})
		if i >= 0 {
			there[r.sources[i]] = true
			continue
		}
		head, ev, err := readHead(path)
		r.complain(path, err)
		if err != nil || head == 0 {
			continue
		}
		if ev.Boot == "" {
			skipped[path] = info
			continue
		}
		i = slices.IndexFunc(r.sources, func(s *source) bool { return s.head == head })
		if i < 0 {
			i = len(r.sources)
			r.sources = append(r.sources, &source{head: head, first: ev.Time, boot: ev.Boot, seq: ev.Seq})
		}
		s := r.sources[i]
		if there[s] && !packed(s.path) {
			continue // a packed copy beside the file
		}
		s.path, s.info, there[s] = path, info, true
	}
	for _, s := range r.sources {
		if !there[s] {
			s.path = ""
		}
	}
	r.skipped = skipped
}

// headLines is the number of lines at the begin of a file of alerts of which one at least is an
// alert.
const headLines = 100

// readHead returns the hash of the first line of a file, 0 if the line is not complete, and the
// first alert of the first lines, which is zero if there is none.
func readHead(path string) (hash uint64, ev alert.Event, err error) {
	in, err := openAt(path, 0)
	if err != nil {
		return 0, ev, err
	}
	defer in.Close()
	lines := bufio.NewReader(io.LimitReader(in, maxLine))
	for range headLines {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		if hash == 0 {
			h := fnv.New64a()
			_, _ = h.Write(line)
			hash = max(1, h.Sum64())
		}
		if ev, ok := parse(line); ok {
			return hash, ev, nil
		}
	}
	return hash, alert.Event{}, nil
}

// parse reads the alert of a line. It returns false if the line is none.
func parse(line []byte) (ev alert.Event, ok bool) {
	err := json.Unmarshal(line, &ev)
	return ev, err == nil && ev.V >= 1 && ev.Boot != "" && ev.Seq > 0
}

// packed reports whether a file is compressed.
func packed(path string) bool {
	return strings.HasSuffix(path, ".gz") || strings.HasSuffix(path, ".zst")
}

// openAt opens a file at a byte of its unpacked text.
func openAt(path string, offset int64) (io.ReadCloser, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	var in io.ReadCloser = file
	switch {
	case strings.HasSuffix(path, ".gz"):
		z, zerr := gzip.NewReader(file)
		in, err = closing{z, file.Close}, zerr
	case strings.HasSuffix(path, ".zst"):
		z, zerr := zstd.NewReader(file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
		in, err = closing{z, func() error { z.Close(); return file.Close() }}, zerr
	default:
		_, err = file.Seek(offset, io.SeekStart)
		offset = 0
	}
	if err == nil && offset > 0 {
		_, err = io.CopyN(io.Discard, in, offset)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", path, err), file.Close())
	}
	return in, nil
}

// closing is a reader with the close function of the reader below it.
type closing struct {
	io.Reader
	end func() error
}

func (c closing) Close() error { return c.end() }

// readOn reads the lines of a file behind those that were read.
func (r *reader) readOn(ctx context.Context, s *source) error {
	r.store.mu.RLock()
	number, path, at := uint32(slices.Index(r.sources, s)), s.path, s.read
	r.store.mu.RUnlock()
	in, err := openAt(path, at)
	if err != nil {
		return err
	}
	defer in.Close()
	type item struct {
		ev    alert.Event
		at    place
		other bool
	}
	var batch []item
	flush := func() {
		r.store.mu.Lock()
		defer r.store.mu.Unlock()
		now := r.now()
		for i := range batch {
			if batch[i].other {
				r.store.other++
				continue
			}
			r.store.add(&batch[i].ev, batch[i].at, now)
			s.last = batch[i].ev.Time
		}
		s.read, s.done = at, packed(path)
		r.store.loaded = int(99 * min(r.total, r.done+min(at, s.info.Size())) / r.total)
		batch = batch[:0]
	}
	defer flush()
	return eachLine(in, func(line []byte) error {
		it := item{at: place{number, at}}
		at += int64(len(line))
		if len(bytes.TrimSpace(line)) == 0 {
			return nil
		}
		var ok bool
		if it.ev, ok = parse(line); !ok {
			it = item{other: true}
		}
		if batch = append(batch, it); len(batch) == 256 {
			flush()
		}
		return ctx.Err()
	})
}

// eachLine calls each for every whole line, with its end, and for each piece of a line that is
// longer than maxLine.
func eachLine(in io.Reader, each func(line []byte) error) error {
	lines := bufio.NewReaderSize(in, 64<<10)
	var long []byte
	for {
		line, err := lines.ReadSlice('\n')
		switch {
		case err == nil && long == nil:
		case err == nil:
			line, long = append(long, line...), nil
		case errors.Is(err, bufio.ErrBufferFull):
			if long = append(long, line...); len(long) < maxLine {
				continue
			}
			line, long = long, nil // a piece of it, which is no alert
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF): // a packed file that is still written
			return nil
		default:
			return err
		}
		if err := each(line); err != nil {
			return err
		}
	}
}

// errGone is the error of a line whose file is not on disk any more.
var errGone = errors.New("the file of this alert is not on disk any more")

// line reads the line of a row back. It returns errGone if the file was deleted or changed.
func (r *reader) line(at place) ([]byte, error) {
	r.store.mu.RLock()
	s := r.sources[at.source]
	path, head := s.path, s.head
	r.store.mu.RUnlock()
	if path == "" {
		return nil, errGone
	}
	if now, _, err := readHead(path); err != nil || now != head { // renamed since the last look
		return nil, errGone
	}
	in, err := openAt(path, at.offset)
	if err != nil {
		return nil, errGone
	}
	defer in.Close()
	line, err := bufio.NewReader(io.LimitReader(in, maxLine)).ReadBytes('\n')
	if err != nil {
		return nil, errGone
	}
	return bytes.TrimSpace(line), nil
}
