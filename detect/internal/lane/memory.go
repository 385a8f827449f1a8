package lane

// Memory counts the bytes that the lanes of one answer use while they are awake: nested readers, and the
// paths of lattices. A lane that falls asleep gives its bytes back, so that the memory of
// an answer does not depend on how many lanes were ever awake, nor on how many channels the
// answer has. The zero value is ready. It is not safe for concurrent use.
type Memory struct {
	// Wakes counts how often each lane woke, by its number, those of decoded text included.
	Wakes [laneCount]int64

	nests struct {
		free []*nest
		out  int // in use
	}
	rooms struct {
		free []*room
		out  int
	}
}

// nest is a nested reader and the reader of its lanes.
type nest struct {
	nested Nested
	within *Reader
}

// What may be in use at the same time, in one channel and in the answer. Beyond these bounds
// a lane does not wake, and its sign counts as unscanned. The lanes of decoded text leave
// enough for every lane of the channel itself.
const (
	mostNests   = 24
	mostRooms   = 5
	answerNests = 3 * mostNests
	answerRooms = 2 * mostRooms
)

// borrow returns a nested reader of the text that lane l of a reader decodes, nil if too
// many are in use.
func (w *work) borrow(r *Reader, l Lane) *nest {
	m := &w.memory.nests
	if w.nests == mostNests || m.out == answerNests || r.depth > 0 && w.nests >= mostNests-len(laneKinds) {
		return nil
	}
	w.nests++
	m.out++
	var x *nest
	if n := len(m.free); n > 0 {
		x, m.free = m.free[n-1], m.free[:n-1]
	} else {
		x = &nest{within: &Reader{}}
	}
	x.within.depth, x.within.inBytes, x.within.work = r.depth+1, r.inBytes && codeLanes.has(l), w
	x.nested = r.cfg.Host.Nest(l, x.within, x.nested)
	return x
}

// giveBack takes back a nested reader and everything that its lanes use.
func (w *work) giveBack(x *nest) {
	x.within.giveBack()
	m := &w.memory.nests
	m.free = append(m.free, x)
	m.out--
	w.nests--
}

// borrowRoom returns room for a lattice, nil if too many lattices are awake.
func (w *work) borrowRoom(r *Reader) *room {
	m := &w.memory.rooms
	if w.rooms == mostRooms || m.out == answerRooms || r.depth > 0 && w.rooms == mostRooms-1 {
		return nil
	}
	w.rooms++
	m.out++
	size := ringSize(r.cfg.Spec.N)
	if n := len(m.free); n > 0 {
		x := m.free[n-1]
		if m.free = m.free[:n-1]; len(x.paths) == size {
			return x
		}
	}
	return &room{paths: make([]path, size)}
}

// giveBackRoom takes back the room of a lattice.
func (w *work) giveBackRoom(x *room) {
	m := &w.memory.rooms
	m.free = append(m.free, x)
	m.out--
	w.rooms--
}
