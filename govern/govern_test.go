package govern

import (
	"encoding/csv"
	"os"
	"testing"
)

// TestClocks has the dates of requests, counted by hand with a calendar. The file has months of
// all lengths, leap years, and days of receipt on each day of a week.
func TestClocks(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/due.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) != 41 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows[1:] {
		tt := struct {
			law, kind             string
			received              Date
			confirm, due, at, ext Date
		}{row[0], row[1], Date(row[2]), Date(row[3]), Date(row[4]), Date(row[5]), Date(row[6])}
		r, err := RuleOf(tt.law, tt.kind)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := r.Clock(tt.received), (Clock{tt.confirm, tt.due, tt.at}); got != want {
			t.Errorf("%s %s of %s: %+v, want %+v", tt.law, tt.kind, tt.received, got, want)
		}
		if tt.ext != "" && r.Extended.After(tt.received) != tt.ext {
			t.Errorf("%s %s of %s, extended: %s, want %s", tt.law, tt.kind, tt.received, r.Extended.After(tt.received), tt.ext)
		}
	}
}
