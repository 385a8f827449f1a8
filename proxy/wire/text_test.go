package wire

import (
	"bytes"
	"fmt"
	"testing"
)

// cutText cuts a body into messages, in reads that end at the given offsets.
func cutText(f Framer, body []byte, at ...int) [][]byte {
	var out [][]byte
	var message []byte
	from := 0
	for _, to := range append(at, len(body)) {
		for p := body[from:to]; len(p) > 0; {
			n, ends := f.Scan(p)
			message = append(message, p[:n]...)
			if p = p[n:]; ends {
				out, message = append(out, message), nil
			}
		}
		from = to
	}
	if len(message) > 0 {
		out = append(out, message)
	}
	return out
}

func TestTextFramer(t *testing.T) {
	t.Parallel()
	const body = "so it\r\nis é世界!\xf0\x9f\x98\x80 \xff\x80\xc3 end"
	want := []string{"so ", "it\r", "\n", "is ", "é", "世", "界", "!\U0001F600", " ", "\xff\x80\xc3 ", "end"}
	for i := range len(body) + 1 {
		got := cutText(&textFramer{}, []byte(body), i)
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("cut at %d: %q", i, got)
		}
	}
	if got := cutText(&textFramer{}, bytes.Repeat([]byte("a"), maxPiece+1)); len(got) != 2 || len(got[0]) != maxPiece {
		t.Errorf("%d pieces", len(got))
	}
}

// FuzzTextFramer: the result does not depend on reads, every byte is kept, and no piece is
// long.
func FuzzTextFramer(f *testing.F) {
	f.Add([]byte("so it is é世界\xf0\x9f\x98\x80 \xff"), uint16(3))
	f.Fuzz(func(t *testing.T, body []byte, at uint16) {
		whole := cutText(&textFramer{}, body)
		if got := cutText(&textFramer{}, body, min(int(at), len(body))); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", whole) {
			t.Fatalf("%q and %q", got, whole)
		}
		if !bytes.Equal(bytes.Join(whole, nil), body) {
			t.Fatalf("%q became %q", body, whole)
		}
		for _, p := range whole {
			if len(p) > maxPiece {
				t.Fatalf("a piece of %d bytes", len(p))
			}
		}
	})
}
