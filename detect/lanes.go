package detect

// DefaultLaneBudget is the number of bytes that the lanes of a channel may read.
const DefaultLaneBudget = 4 << 20

// laneKind says how a lane is woken and when it sleeps again.
type laneKind struct {
	lane  Lane
	wakes alarm
	past  int   // bytes before the alarm that it reads
	quiet int64 // bytes without a decoded one after which it sleeps; 0: when the alarm's sum is gone
	inner Lanes // lanes that are looked for in what it decodes
}

// codeLanes are the lanes that stand for bytes; the others change or move letters,
// and one of these under another is looked for in vain.
var codeLanes = LanesOf(Base64, Base32, Hex, Percent, Decimal, Binary)

// laneKinds are the lanes that wake.
var laneKinds = [...]laneKind{
	{Base64, alarmRun, 64, 96, AllLanes},
	{Base32, alarmRun, 64, 96, AllLanes},
	{Hex, alarmRun | alarmCodes, 96, 64, AllLanes},
	{Binary, alarmRun | alarmCodes, 96, 64, AllLanes},
	{Decimal, alarmCodes, 96, 48, AllLanes},
	{Percent, alarmPercent, pastBytes, 128, AllLanes &^ LanesOf(Percent)},
	{Rot13, alarmRot13, pastBytes, 0, codeLanes},
	{Mirrored, alarmMirrored, pastBytes, 0, codeLanes},
	{Reversed, alarmMirrored, pastBytes, 0, codeLanes},
	{Leet, alarmMixed, pastBytes, 128, codeLanes},
	{Hyphenated, alarmHyphen, pastBytes, 256, codeLanes},
}

// lanes is the finder of what stands in the lanes. One watch wakes them. Nothing
// but the newest bytes is kept while they sleep.
type lanes struct {
	d      *Detector
	watch  watch
	alarm  alarm // what the last byte raised
	wanted alarm // what would wake a sleeping lane
	awake  int   // lanes awake
	all    [len(laneKinds)]lodger

	past  [pastBytes]byte // a ring: byte i of the channel stands at i modulo its length
	at    int64           // bytes of the channel
	line  [pastBytes]byte // scratch: the newest bytes in a row
	depth int             // lanes that this one stands in
	codes bool            // all of them stand for bytes
	work  *laneWork
}

// laneWork is what the lanes of a channel did, those within lanes included.
type laneWork struct {
	read      int64 // bytes
	budget    int64
	unscanned int64
}

// spent reports whether no lane may read on.
func (w *laneWork) spent() bool { return w.read >= w.budget }

// lodger is a lane of a channel.
type lodger struct {
	on      bool
	awake   bool
	slept   int64 // offset to which it has read
	reading reading
}

// maxLaneDepth is how many lanes may lie within each other.
const maxLaneDepth = 2

// reset implements finder.
func (l *lanes) reset() {
	l.watch, l.alarm, l.wanted, l.awake, l.at = watch{}, 0, 0, 0, 0
	for i := range l.all {
		o, k := &l.all[i], &laneKinds[i]
		o.on, o.awake, o.slept = l.d.cfg.Lanes.Has(k.lane) && l.depth < maxLaneDepth, false, 0
		if o.on {
			l.wanted |= k.wakes
		}
		if o.reading != nil {
			o.reading.reset()
		}
	}
	if l.depth == maxLaneDepth && l.codes {
		l.wanted = alarmRun | alarmCodes | alarmPercent // it is counted
	}
}

// cut returns how many of the next bytes may be read at once, at least one.
func (l *lanes) cut(p []byte) int {
	if l.awake > 0 {
		p = p[:1]
	}
	n, a := l.watch.read(p, l.wanted)
	l.alarm = a
	return n
}

// text implements finder.
func (l *lanes) text(p []byte) {
	for rest, at := p, l.at; len(rest) > 0; {
		n := copy(l.past[at%pastBytes:], rest)
		rest, at = rest[n:], at+int64(n)
	}
	l.at += int64(len(p))
	if l.work.spent() {
		l.stop(int64(len(p)))
		return
	}
	if l.awake > 0 {
		l.read(p)
	}
	if l.alarm&l.wanted != 0 {
		l.wake()
	}
}

// read gives bytes to the lanes that are awake.
func (l *lanes) read(p []byte) {
	for i := range l.all {
		o := &l.all[i]
		if !o.awake {
			continue
		}
		o.reading.read(p)
		l.work.read += int64(len(p))
		if o.reading.idle() {
			l.sleep(o)
		}
	}
}

// sleep ends a lane; it may wake again.
func (l *lanes) sleep(o *lodger) {
	o.reading.end()
	o.awake, o.slept = false, l.at
	l.awake--
	l.want()
}

// want says what would wake a lane.
func (l *lanes) want() {
	l.wanted = 0
	for i := range l.all {
		if o := &l.all[i]; o.on && !o.awake {
			l.wanted |= laneKinds[i].wakes
		}
	}
}

// wake wakes the lanes that the last byte's alarms are for.
func (l *lanes) wake() {
	if l.depth == maxLaneDepth {
		l.work.unscanned++
		return
	}
	for i := range l.all {
		o, k := &l.all[i], &laneKinds[i]
		if !o.on || o.awake || l.alarm&k.wakes == 0 {
			continue
		}
		if o.reading == nil {
			o.reading = newDecoded(l, k)
		}
		o.awake = true
		l.awake++
		from := max(o.slept, l.at-int64(k.past), 0)
		l.work.read += l.at - from
		o.reading.wake(l.newest(from), from)
	}
	l.want()
}

// newest returns the bytes from an offset on, which are kept.
func (l *lanes) newest(from int64) []byte {
	line := l.line[:0]
	for from < l.at {
		i := from % pastBytes
		n := min(l.at-from, pastBytes-i)
		line = append(line, l.past[i:i+n]...)
		from += n
	}
	return line
}

// parted reports whether white space stands between two offsets, as far as the
// bytes are kept and have been read; what is not kept has some.
func (l *lanes) parted(from, to int64) bool {
	if from < l.at-pastBytes {
		return true
	}
	for ; from < min(to, l.at); from++ {
		switch l.past[from%pastBytes] {
		case ' ', '\n', '\t', '\r':
			return true
		}
	}
	return false
}

// stop puts every lane to sleep for good: their budget is spent.
func (l *lanes) stop(unread int64) {
	for i := range l.all {
		if o := &l.all[i]; o.awake {
			l.sleep(o)
		}
		l.all[i].on = false
	}
	l.wanted = 0
	l.work.unscanned += unread
}

// word implements finder.
func (l *lanes) word(int64) {}

// waits implements finder.
func (l *lanes) waits() int64 {
	free := l.watch.waits(l.wanted)
	if l.awake == 0 {
		return free
	}
	for i := range l.all {
		if o := &l.all[i]; o.awake {
			free = min(free, o.reading.waits())
		}
	}
	return free
}

// save implements finder: what the lanes have read is decided when the channel is
// parked.
func (l *lanes) save() {
	for i := range l.all {
		if o := &l.all[i]; o.awake {
			o.reading.park()
		}
	}
}

// restore implements finder.
func (l *lanes) restore() {}

// end implements finder.
func (l *lanes) end() {
	for i := range l.all {
		if o := &l.all[i]; o.awake {
			o.reading.end()
			o.awake = false
		}
	}
	l.awake = 0
}

// startLanes sets up the lanes that the config asks for.
func (d *Detector) startLanes() {
	d.laning = d.cfg.Lanes&^LanesOf(Despaced) != 0 || d.lanes != nil && d.lanes.depth > 0
	if !d.laning {
		return
	}
	if d.lanes == nil {
		d.lanes = &lanes{d: d, codes: true, work: &laneWork{}}
	}
	if d.lanes.depth == 0 {
		*d.lanes.work = laneWork{budget: d.cfg.LaneBudget}
		if d.cfg.LaneBudget <= 0 {
			d.lanes.work.budget = DefaultLaneBudget
		}
	}
	d.finders = append(d.finders, d.lanes)
	if d.cfg.Lanes.Has(ReversedWords) {
		if d.reverse == nil {
			d.reverse = &reverse{d: d}
		}
		d.finders = append(d.finders, d.reverse)
	}
}

// Unscanned is the number of bytes of the channel that no lane read because the
// budget was spent or because they lay too deep, and of letters that could not be
// read in every way.
func (d *Detector) Unscanned() (n int64) {
	if d.laning {
		n = d.lanes.work.unscanned
	}
	if d.despaces() {
		n += d.letters.lattice.unread
	}
	return n
}

var _ finder = (*lanes)(nil)
