package policy

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"noecho/detect"
	"noecho/ngram"
	"noecho/proxy/alert"
)

// TestRecords names each record once, the data subject first, and no more than an
// alert has room for.
func TestRecords(t *testing.T) {
	t.Parallel()
	record := func(id string) alert.Record { return alert.Record{ID: id, Dataset: "d", Labels: []string{"l"}} }
	x := &Records{
		Record: func(p ngram.Place) (alert.Record, bool) {
			return record(fmt.Sprint("r", p/100)), p < 5000
		},
		Owners: func(p ngram.Phrase) (all []alert.Record) {
			if p.Subject > 0 && p.Subject < 10 {
				all = append(all, record(fmt.Sprint("s", p.Subject)))
			}
			return all
		},
	}
	many := make([]ngram.Place, 20)
	for i := range many {
		many[i] = ngram.Place(100 * i)
	}
	for _, tt := range []struct {
		name string
		f    detect.Finding
		want []string
	}{
		{"unknown", detect.Finding{}, nil},
		{"places", detect.Finding{Places: []ngram.Place{310, 120, 333, 9000}}, []string{"r3", "r1"}},
		{"subject", detect.Finding{Phrase: &ngram.Phrase{Subject: 4, Place: 220}}, []string{"s4", "r2"}},
		{"unknown subject", detect.Finding{Phrase: &ngram.Phrase{Subject: 40}}, nil},
		{"many", detect.Finding{Places: many}, []string{"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"}},
	} {
		want := []alert.Record{}
		for _, id := range tt.want {
			want = append(want, record(id))
		}
		if diff := cmp.Diff(want, x.Of(&tt.f)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
	if got := new(Records).Of(&detect.Finding{Places: many}); got == nil || len(got) != 0 {
		t.Errorf("without names: %v", got)
	}
}
