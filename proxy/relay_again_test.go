package proxy

import "testing"

// TestManner: a text comes as a whole each time until it does not begin with
// what came before, once at the start or twice in a row later.
func TestManner(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		begins string // y: a message begins with all that came before, n: it does not
		want   manner
	}{
		{"", unsettled},
		{"y", wholes},
		{"yyy", wholes},
		{"n", pieces},
		{"ny", pieces},
		{"nyyy", pieces},
		{"yn", doubted},
		{"yny", wholes},
		{"ynn", pieces},
		{"yynynyn", doubted},
		{"ynnyyy", pieces},
	} {
		got := unsettled
		for _, c := range tt.begins {
			got = got.settle(c == 'y')
		}
		if got != tt.want {
			t.Errorf("%s: %d, want %d", tt.begins, got, tt.want)
		}
	}
}
