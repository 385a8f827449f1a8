package wire

// keyed numbers the element whose member is being read by the member's text:
// equal texts, equal numbers, in all messages of an answer.
func (l *Locator) keyed(lit []byte) error {
	l.key = AppendText(l.key[:0], lit)
	n, ok := l.keys[string(l.key)]
	if !ok {
		if len(l.keys) == MaxChannels {
			return tooMany("names of elements")
		}
		n = int32(len(l.keys))
		l.keys[string(l.key)] = n
	}
	f := &l.frames[len(l.frames)-1]
	at := f.item
	if l.paths.nodes[f.node].level == 3 {
		at = f.part
	}
	if at >= 0 {
		l.elements[at].number = n
	}
	return nil
}
