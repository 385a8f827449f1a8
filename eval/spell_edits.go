package eval

// edit does something to one word in so many, from a random one on.
func edit(every int, change func(w *encoder, lo, hi int) (next int)) func(w *encoder) {
	return func(w *encoder) {
		phase := w.rng.IntN(every)
		at := 0
		for i, word := range w.p.words {
			lo, hi := int(word.Span.Lo), int(word.Span.Hi)
			if i%every != phase {
				continue
			}
			w.keep(at, lo)
			at = change(w, lo, hi)
		}
		w.keep(at, len(w.p.text))
	}
}

// swap writes a word of filler instead of the word.
func swap(w *encoder, _, hi int) int {
	w.put(w.fill.word())
	return hi
}

// drop leaves the word out, and white space behind it.
func drop(w *encoder, _, hi int) int {
	for hi < len(w.p.text) && w.p.text[hi] == ' ' {
		hi++
	}
	return hi
}

// insert writes a word of filler before the word.
func insert(w *encoder, lo, _ int) int {
	w.put(w.fill.word() + " ")
	return lo
}

// fillerAfter writes one and the same word behind each.
func fillerAfter(w *encoder) {
	same := w.fill.word()
	for _, t := range w.tokens() {
		w.keep(t.lo, t.hi)
		w.put(" " + same + " ")
	}
}

// interleaved writes another text in turn with the passage, word by word.
func interleaved(w *encoder) {
	for _, t := range w.tokens() {
		w.keep(t.lo, t.hi)
		w.put(" " + w.fill.word() + " ")
	}
}
