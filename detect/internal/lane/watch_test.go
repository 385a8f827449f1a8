package lane

import (
	"math/rand/v2"
	"testing"
)

// TestCalm: calm reads bytes as next does, and stops before the first byte that next would
// let raise an alarm or make bytes wait.
func TestCalm(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 3))
	const letters = "eeeettaaooiinnsshhrrddlluuccmmwwffggyyppbbvvkkjjxxqqzz        ..,,EAQZ"
	const others = "1-@+%\xc3\xa9="
	for range 20_000 {
		text := make([]byte, 1+r.IntN(80))
		for i := range text {
			text[i] = letters[r.IntN(len(letters))]
			if r.IntN(60) == 0 {
				text[i] = others[r.IntN(len(others))]
			}
		}
		var w watch
		w.moved, w.turned, w.run, w.prev = int32(r.IntN(movedAt)), int32(r.IntN(turnedAt)), int32(r.IntN(runBytes)), byte(r.IntN(27))
		want := w
		n := w.calm(text)
		for i, c := range text {
			before := want
			a := want.next(c, classes[c])
			want.at++
			stops := a != 0 || classes[c] > 26 || want.run >= runBytes || want.pending()&^before.pending() != 0
			if i == n {
				if want = before; !stops {
					t.Fatalf("%q: stops at byte %d", text, n)
				}
				break
			}
			if stops {
				t.Fatalf("%q: reads byte %d of %d", text, i, n)
			}
		}
		if w.prev != want.prev || w.run != want.run || w.moved != want.moved || w.turned != want.turned || w.at != want.at {
			t.Fatalf("%q: %+v, want %+v", text, w.signs, want.signs)
		}
	}
}
