package lane

import (
	"math"

	"noecho/detect/internal/decode"
)

// watch looks at every byte of a channel for signs that wake lanes. It is a handful of
// counters and sums:
//
//   - counters: the letters, digits and signs of base64 in a row, and the groups of digits
//     and the percent codes that came soon one after another;
//   - a probe (package decode) of such a row: whether its newest characters decode to text;
//   - sums: for each letter, or pair of letters, the logarithm of how much likelier it is
//     in text whose letters were moved, or whose words were turned round, than in English.
//     A sum never falls below zero (E. S. Page, Continuous inspection schemes, Biometrika
//     41, 1954). It rises by about 0.8 a letter in such a text and falls as fast in another.
//
// For example the q, v, x and j of "gur dhvpx oebja" are frequent letters that were moved.
// Each raises the sum of moved letters by 2.5 to 3, and the sum passes the threshold with
// the third word.
//
// A long row that is no words is noise: a picture, a key, a hash. Its letters are as rare
// as those of moved text, but a window of words has gaps. So in noise the sums are zero and
// only the probe looks on, at the price of reading plain text.
type watch struct {
	signs
	probe decode.Probe           // of the row
	tail  [decode.SureBytes]byte // the newest bytes, for a probe that begins inside a row
}

// signs are the counters and sums of a watch.
type signs struct {
	prev    byte // class of the byte before
	dash    dashState
	run     int32
	noise   int32
	moved   int32
	turned  int32
	mixed   int32
	codes   int32
	percent int32
	sums    [3]int64 // for each sum the offset from which on bytes wait
	at      int64    // bytes read
	first   int64    // offset of the first of the groups of digits
	last    int64    // offset of the last one
	sign    int64    // offset of the last percent sign
	quiet   int64    // offset at which the last noise ended
}

// dashState is how much of a hyphen and a line break has come.
type dashState uint8

const (
	dashNone dashState = iota
	dashSign           // behind a hyphen that follows a letter; a line break may come
	dashLine           // behind the line break
)

// When lanes wake. Sums are in eighths of a nat.
const (
	runBytes     = decode.ProbeBytes // of base64 and its like
	codeGroups   = 4
	codeApart    = 12 // bytes from the beginning of one group to that of the next
	codePrefix   = 2  // the \x before the first group
	percentSigns = 2
	percentApart = 24
	sumWaits     = 28 // from here on bytes wait
	sumSpan      = 16 // bytes before, which have raised the sum
	movedAt      = 112
	turnedAt     = 112
	sumMost      = 240
	mixedStep    = 24 // for a digit beside a letter
	mixedFall    = 2  // for a letter
	mixedAt      = 72
	mixedMost    = 144
	noisy        = 128 // letters and digits, less those that the gaps between them take off
	noiseMost    = 256 // a multiple of what the first words behind noise take off
	noiseMark    = 6   // for a byte that is neither a letter nor a digit
	noiseLine    = 4   // for a line break in a row that may go on
	noiseSpace   = 48  // for other white space
	waitsMost    = pastBytes
)

// wideFall is by how much a byte beyond ASCII lowers the sums of moved and turned letters.
const wideFall = 4

// Classes of bytes; 1 to 26 are the letters.
const (
	classOther   = 0
	classDigit   = 27 + iota - 1
	classSign    // one that looks like a letter: @ $ !
	classPacked  // signs of base64
	classPercent //
	classDash    //
	classWide    // beyond ASCII
)

var classes = func() (t [256]byte) {
	for c := range t {
		switch b := byte(c); {
		case b|0x20 >= 'a' && b|0x20 <= 'z':
			t[c] = b | 0x20 - 'a' + 1
		case b >= '0' && b <= '9':
			t[c] = classDigit
		case b == '@' || b == '$' || b == '!':
			t[c] = classSign
		case b == '+' || b == '/' || b == '_' || b == '=':
			t[c] = classPacked
		case b == '%':
			t[c] = classPercent
		case b == '-':
			t[c] = classDash
		case b >= 0x80:
			t[c] = classWide
		}
	}
	return t
}()

// read looks at the next bytes and returns how many it has looked at. A byte that raises a
// wanted alarm is read alone, so that the bytes before it have been handled as if all
// bytes had come one by one. For the same reason no piece ends while bytes wait that began
// to wait inside the piece, and none ends with a hyphen that may end a line: read stops
// before the byte that made them wait. Bytes that wait no longer at the end of the piece
// have been released by then, however the piece was cut. Nearly all bytes are letters and
// spaces that raise nothing: calm counts those in registers. In noise, skim does.
func (w *watch) read(p []byte, want alarm) (int, alarm) {
	n, a := w.look(p, want)
	w.keep(p[:n])
	return n, a
}

func (w *watch) look(p []byte, want alarm) (int, alarm) {
	var back wait
	for i := 0; i < len(p); i++ {
		if w.noise >= noisy && w.run >= runBytes {
			i = w.skim(p, i, want)
		} else if w.noise == 0 && w.mixed == 0 && w.dash == dashNone && w.prev <= 26 {
			i += w.calm(p[i:])
		}
		if i == len(p) {
			break
		}
		c := p[i]
		k := classes[c]
		pending := w.pending() & want
		if pending == 0 {
			back.at = 0
		}
		if k == classDash && i > 0 && isLetterClass(w.prev) && (i+1 == len(p) || p[i+1] == '\n' || p[i+1] == '\r') {
			if back.at > 0 {
				return w.undo(&back), 0
			}
			return i, 0
		}
		before := w.signs
		a := w.next(c, k)
		var probe decode.Probe
		if w.run >= runBytes {
			if before.run < runBytes {
				w.begin(p[:i])
			}
			probe = w.probe
			a |= w.alarms(w.probe.Next(c))
		}
		a &= want
		w.at++
		if i == 0 {
			if a != 0 {
				return 1, a
			}
			continue
		}
		if a == 0 && w.pending()&want&^pending == 0 {
			continue
		}
		if back.at == 0 {
			if w.run < runBytes {
				probe = w.probe
			}
			back = wait{i, before, probe}
		}
		if a != 0 || pending != 0 && back.at == i {
			return w.undo(&back), 0
		}
	}
	if back.at > 0 && w.pending()&want != 0 {
		return w.undo(&back), 0
	}
	return len(p), 0
}

// wait is the watch before a byte that makes bytes wait.
type wait struct {
	at    int // number of the byte in its piece; 0: no byte waits, or some wait from the beginning of the piece on
	signs signs
	probe decode.Probe
}

// undo takes the watch back to a wait and returns how many bytes of the piece it has read.
func (w *watch) undo(to *wait) int {
	w.signs, w.probe = to.signs, to.probe
	return to.at
}

// keep keeps the newest bytes.
func (w *watch) keep(p []byte) {
	if n := len(p); n < len(w.tail) {
		copy(w.tail[:], w.tail[n:])
		copy(w.tail[len(w.tail)-n:], p)
		return
	}
	copy(w.tail[:], p[len(p)-len(w.tail):])
}

// begin lets the probe read as many bytes before the newest one as it looks at. p is the
// bytes of the piece before that one.
func (w *watch) begin(p []byte) {
	w.probe = decode.Probe{}
	for _, c := range w.tail[min(len(p), len(w.tail)):] {
		w.probe.Next(c)
	}
	for _, c := range p[max(0, len(p)-len(w.tail)):] {
		w.probe.Next(c)
	}
}

// alarms returns the alarms of signs of the probe. Noise decodes to a few characters now
// and then, so there the probe has to be sure.
func (w *watch) alarms(s decode.Sign) alarm {
	if w.noise >= noisy {
		s = s.Sure()
	}
	return alarm(s) & alarmsOfRows
}

// skim reads letters, digits and signs of base64 in noise, from byte i of a piece on, up to
// one that raises a wanted alarm, and returns how many bytes of the piece have been read.
func (w *watch) skim(p []byte, i int, want alarm) int {
	from, prev := i, w.prev
	for ; i < len(p); i++ {
		k := classes[p[i]]
		noise := w.noise + 1
		if k == classPacked {
			noise = w.noise - noiseMark
		} else if k > classDigit || k == classOther || k == classDigit && !isLetterClass(prev) && prev != classDigit {
			break
		}
		if noise < noisy {
			break
		}
		if w.alarms(w.probe.Next(p[i]))&want != 0 {
			w.begin(p[:i]) // the byte is read again, alone
			break
		}
		w.noise, prev = min(noise, noiseMost), k
	}
	if i > from {
		w.dash = dashNone
	}
	w.prev = prev
	w.run += int32(i - from)
	w.at += int64(i - from)
	return i
}

// Both sums of letters are added in one register, in lanes of 16 bits.
const (
	lanes     = 1<<16 + 1      // times a number is that number in both lanes
	laneSign  = 0x8000 * lanes // the highest bits of both
	laneWaits = (0x8000 - sumWaits) * lanes
)

// steps are the scores of a letter behind another one, of which the lower lane is that of
// moved letters. The highest bits are set, so that they show which sum is below zero.
var steps = func() (t [32 * 32]uint32) {
	for i := range t {
		moved, turned := int32(movedScores[i%32]), int32(turnedScores[i/32][i%32])
		t[i] = uint32(0x8000+moved) | uint32(0x8000+turned)<<16
	}
	return t
}()

// calm reads letters and other bytes that raise no alarm and let no sum begin to count, and
// returns how many it has read.
func (w *watch) calm(p []byte) int {
	prev, sums, i := w.prev, uint32(w.moved)|uint32(w.turned)<<16, 0
	before := -1 - int(w.run) // the byte before the row
	for ; i < len(p); i++ {
		k := classes[p[i]]
		next := sums + steps[(int(prev)<<5|int(k))&(32*32-1)]
		above := next & laneSign
		next &= above - above>>15
		row := before
		if k == classOther {
			row = i
		}
		if k > 26 || i-row >= runBytes {
			break
		}
		if (next+laneWaits)&laneSign != 0 {
			m, t := next&0xffff, next>>16
			if m >= movedAt || t >= turnedAt || m >= sumWaits && sums&0xffff < sumWaits || t >= sumWaits && sums>>16 < sumWaits {
				break
			}
		}
		prev, sums, before = k, next, row
	}
	w.prev, w.run, w.moved, w.turned = prev, int32(i-1-before), int32(sums&0xffff), int32(sums>>16)
	w.at += int64(i)
	return i
}

func isLetterClass(k byte) bool { return k-1 < 26 || k == classWide }

// next reads a byte of class k.
func (w *watch) next(c, k byte) (a alarm) {
	x, y := w.prev, k
	if x > 26 {
		x = 0
	}
	if y > 26 {
		y = 0
	}
	w.run++
	w.hear(c, k)
	if w.noise < noisy {
		w.sum(x, y)
	}
	switch {
	case y > 0:
		if w.prev == classDigit || w.prev == classSign {
			w.mix()
		}
		w.mixed = max(0, w.mixed-mixedFall)
		w.dash = dashNone
	case k == classOther:
		if c != '\n' && c != '\r' || w.run < runBytes {
			w.run = 0
		}
		a |= w.line(c)
	default:
		a |= w.rare(k)
	}
	w.prev = k
	return a | w.raised()
}

// hear counts noise.
func (w *watch) hear(c, k byte) {
	noise := w.noise
	switch {
	case k != classOther && k <= classDigit:
		if noise > 0 || w.run >= runBytes {
			noise = min(noiseMost, noise+1)
		}
	case k == classWide:
		noise = 0
	case w.run >= runBytes && (c == '\n' || c == '\r'):
		noise = max(0, noise-noiseLine)
	case c == ' ' || c == '\n' || c == '\r' || c == '\t':
		noise = max(0, noise-noiseSpace)
	default:
		noise = max(0, noise-noiseMark)
	}
	switch {
	case noise >= noisy:
		w.moved, w.turned, w.mixed = 0, 0, 0
	case w.noise >= noisy:
		w.quiet = w.at
	}
	w.noise = noise
}

// mix counts a digit or a sign beside a letter.
func (w *watch) mix() {
	if w.noise < noisy {
		w.mixed = min(mixedMost, w.mixed+mixedStep)
	}
}

// sum adds the scores of a pair of letters, and records the offset from which on bytes
// wait when a sum begins to count.
func (w *watch) sum(x, y byte) {
	moved := max(0, min(sumMost, w.moved+int32(movedScores[y])))
	turned := max(0, min(sumMost, w.turned+int32(turnedScores[x][y])))
	if moved >= sumWaits && w.moved < sumWaits {
		w.sums[0] = w.at - sumSpan
	}
	if turned >= sumWaits && w.turned < sumWaits {
		w.sums[1] = w.at - sumSpan
	}
	if w.mixed < sumWaits {
		w.sums[2] = w.at - sumSpan
	}
	w.moved, w.turned = moved, turned
}

// raised returns the alarms of sums.
func (w *watch) raised() (a alarm) {
	if w.moved >= movedAt {
		a |= alarmRot13
	}
	if w.turned >= turnedAt {
		a |= alarmMirrored
	}
	if w.mixed >= mixedAt {
		a |= alarmMixed
	}
	return a
}

// line reads a byte that may end a line behind a hyphen.
func (w *watch) line(c byte) (a alarm) {
	switch {
	case w.dash == dashSign && c == '\n':
		w.dash = dashLine
		return alarmHyphen
	case w.dash == dashSign && c == '\r':
	default:
		w.dash = dashNone
	}
	return 0
}

// rare reads a byte that is neither a letter nor a separator.
func (w *watch) rare(k byte) (a alarm) {
	beside := isLetterClass(w.prev)
	w.dash = dashNone
	switch k {
	case classDigit, classSign:
		if k == classSign {
			w.run = 0
		}
		if w.prev-1 < 26 {
			w.mix()
		}
		if k == classSign || w.prev == classDigit || beside && w.prev != 'x'-'a'+1 {
			break
		}
		if w.at-w.last > codeApart {
			w.codes, w.first = 0, w.at
		}
		w.last = w.at
		if w.codes++; w.codes >= codeGroups {
			a |= alarmCodes
		}
	case classPercent:
		w.run = 0
		if w.at-w.sign > percentApart {
			w.percent = 0
		}
		w.sign = w.at
		if w.percent++; w.percent >= percentSigns {
			a |= alarmPercent
		}
	case classDash:
		if beside {
			w.dash = dashSign
		}
	case classWide:
		w.run = 0
		w.moved, w.turned = max(0, w.moved-wideFall), max(0, w.turned-wideFall)
	}
	return a
}

// pending returns the alarms for which bytes wait, that for hyphens apart.
func (w *watch) pending() (a alarm) {
	if w.run >= runBytes {
		a |= alarmsOfRows
	}
	if w.codes > 0 && w.codes < codeGroups && w.at-w.last <= codeApart {
		a |= alarmCodes
	}
	if w.moved >= sumWaits {
		a |= alarmRot13
	}
	if w.turned >= sumWaits {
		a |= alarmMirrored
	}
	if w.mixed >= sumWaits {
		a |= alarmMixed
	}
	return a
}

// waits returns the first byte that must wait until it is certain whether a wanted alarm is
// raised, math.MaxInt64 if there is none: the newest characters of a row may be the first
// of code, numbers one after another may be the first codes of many, a sum that rises may
// rise on, and before a hyphen and a line break is half a word. No byte waits that a lane
// would no longer read when it wakes.
func (w *watch) waits(want alarm) int64 {
	free := int64(math.MaxInt64)
	if want&alarmHyphen != 0 && w.dash == dashSign {
		return 0
	}
	want &= w.pending()
	if want&alarmsOfRows != 0 {
		free = w.at - decode.SureBytes
	}
	if want&alarmCodes != 0 {
		free = min(free, w.first-codePrefix)
	}
	for i, a := range [...]alarm{alarmRot13, alarmMirrored, alarmMixed} {
		if want&a != 0 && w.at-w.sums[i] <= waitsMost {
			free = min(free, w.sums[i])
		}
	}
	return free
}
