package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// TestDueDatesOfTheProgram keeps requests of the table of package govern, and compares the dates
// that erase open prints. The program takes no request that is still to come, so that the
// dates are those of 28 years before, when the days of the week were the same.
func TestDueDatesOfTheProgram(t *testing.T) {
	t.Parallel()
	noecho, err := exec.LookPath("noecho")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open("../../govern/testdata/due.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	query := writeText(t, filepath.Join(dir, "query.json"), `{"email":"ann@example.org"}`)
	compared := 0
	for _, row := range rows[1:] {
		if row[2] >= "2100" { // 2072 has a 29 February, 2100 has none
			continue
		}
		for i := 2; i < len(row); i++ {
			if row[i] != "" {
				year, err := strconv.Atoi(row[i][:4])
				if err != nil {
					t.Fatal(err)
				}
				row[i] = fmt.Sprint(year-28) + row[i][4:]
			}
		}
		out, err := exec.Command(noecho, "erase", "open", "--ledger", filepath.Join(dir, "ledger"), "--law", row[0], "--kind", row[1], "--received", row[2], "--query", query, "--json").Output()
		if err != nil {
			t.Fatalf("%v: %v", row, err)
		}
		var got []struct {
			Clock struct{ Confirm, Due, Tell string }
		}
		if err := json.Unmarshal(out, &got); err != nil || len(got) != 1 {
			t.Fatalf("%v: %s, %v", row, out, err)
		}
		if c := got[0].Clock; c.Confirm != row[3] || c.Due != row[4] || c.Tell != row[5] {
			t.Errorf("%v: %+v", row, c)
		}
		compared++
	}
	if compared < 39 {
		t.Errorf("%d requests were compared", compared)
	}
}
