package govern

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func day(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestLedger takes a request through its steps.
func TestLedger(t *testing.T) {
	t.Parallel()
	const id = "01JDVZ3T0G5Q7X9A1B2C3D4E5F"
	dir := filepath.Join(t.TempDir(), "ledger")
	l, err := OpenLedger(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(id, "gdpr", "erasure", "2026-01-31", "", day(t, "2026-02-01"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Write(r); err != nil {
		t.Fatal(err)
	}
	// A killed process left a file behind.
	if err := os.WriteFile(filepath.Join(dir, id+".json.17.new"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := l.Read(id)
	if err != nil {
		t.Fatal(err)
	}
	if again.Clock.Due != "2026-02-28" || again.Late("2026-02-20", 7) || !again.Late("2026-02-20", 8) || !again.Late("2026-03-20", 0) {
		t.Errorf("%+v", again)
	}
	if err := again.Extend("many rows", day(t, "2026-02-28")); err != nil || again.Clock.Due != "2026-04-30" {
		t.Errorf("extended: %v, %+v", err, again.Clock)
	}
	if err := l.Write(again); err != nil {
		t.Fatal(err)
	}
	if err := r.Refuse("17(3)(b)", "", day(t, "2026-02-28")); err != nil {
		t.Fatal(err)
	}
	if err := l.Write(r); err == nil || !strings.Contains(err.Error(), "another command") {
		t.Errorf("a step since the request was read: %v", err)
	}
	if err := again.Extend("", day(t, "2026-02-28")); err == nil {
		t.Error("extended twice")
	}
	if err := again.Refuse("17(3)(b)", "", day(t, "2026-03-01")); err != nil {
		t.Fatal(err)
	}
	if err := l.Write(again); err != nil {
		t.Fatal(err)
	}
	all, err := l.All()
	if err != nil || len(all) != 1 || all[0].State != Refused || len(all[0].Events) != 3 || all[0].Late("2030-01-01", 0) {
		t.Errorf("%+v, %v", all, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if st, err := os.Stat(filepath.Join(dir, id+".json")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if _, err := l.Read("../../etc/passwd"); err == nil {
		t.Error("a path is no number")
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	now := day(t, "2026-05-05")
	for _, tt := range []struct {
		law, kind     string
		received, due Date
		want          string
	}{
		{"gdpr", "access", "2026-05-06", "", "still to come"},
		{"gdpr", "deletion", "2026-05-01", "", "kind"},
		{"bdsg", "access", "2026-05-01", "", "law"},
		{"hipaa", "erasure", "2026-05-01", "", "no clock"},
		{"contract", "erasure", "2026-05-01", "", "needs its date"},
		{"gdpr", "erasure", "2026-05-01", "2026-06-01", "leave it out"},
	} {
		if _, err := New("01JDVZ3T0G5Q7X9A1B2C3D4E5F", tt.law, tt.kind, tt.received, tt.due, now); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
	r, err := New("01JDVZ3T0G5Q7X9A1B2C3D4E5F", "ccpa", "erasure", "2026-01-01", "", now)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Extend("", now); err == nil || !strings.Contains(err.Error(), "by 2026-02-15") {
		t.Errorf("extended too late: %v", err)
	}
}
