package ignore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestParse(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`{"digest":"9f2c4a0b8d1e6f37"}`: "9f2c4a0b8d1e6f37",
		`{"digest":"9F2C4A0B8D1E6F37","reason":"r","until":"2027-06-30","by":"ann","more":[1]}`:           "9f2c4a0b8d1e6f37",
		`{"hash":"000000000000000100000000000000ff","count":3,"first":"a:1","digest":"00000000000000ff"}`: "00000000000000ff",
		`{"hash":"000000000000000100000000000000ff","count":3,"first":"a:1"}`:                             "00000000000000ff",
		`{"v":1,"type":"finding","identifier":"","digests":["0000000000000001","0000000000000002"]}`:      "0000000000000001 0000000000000002",
		`{"v":1,"type":"finding","identifier":"phrase","digests":["0000000000000001"]}`:                   "0000000000000001",
		`{"v":1,"type":"start"}`:                                                       "",
		`{"report":"noecho common windows","v":1,"n":10}`:                              "",
		`{"v":1,"type":"finding","identifier":"email","digests":["0000000000000001"]}`: "!identifiers of people are never ignored",
		`{"digest":"9f2c"}`:                                                            "!not a digest",
		`{"digest":"zf2c4a0b8d1e6f37"}`:                                                "!not a digest",
		`{"digest":"9f2c4a0b8d1e6f37","until":"next week"}`:                            "!no date",
		`{"reason":"r"}`:                                                               "!no digest",
		`greeting`:                                                                     "!no JSON",
	} {
		entries, err := Parse([]byte(line))
		got := []string{}
		for _, e := range entries {
			got = append(got, hex16(e.Digest))
		}
		why, fails := strings.CutPrefix(want, "!")
		if fails != (err != nil) || fails && !strings.Contains(err.Error(), why) || !fails && strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
}

func hex16(d uint64) string {
	const digits = "0123456789abcdef"
	out := make([]byte, 16)
	for i := range out {
		out[15-i] = digits[d&15]
		d >>= 4
	}
	return string(out)
}

// TestExpiry: an entry has an effect to the end of its last day, and the longer one of two counts.
func TestExpiry(t *testing.T) {
	t.Parallel()
	var l List
	text := `# greeting
{"digest":"0000000000000001","until":"2027-01-31"}

{"digest":"0000000000000002","until":"2027-01-31T12:00:00Z"}
{"digest":"0000000000000003"}
{"digest":"0000000000000001","until":"2027-01-01"}
{"digest":"0000000000000003","until":"2020-01-01"}
`
	if err := l.Read("x", strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		now             time.Time
		has             [5]bool
		expired, ending int
	}{
		{day("2027-01-20"), [5]bool{1: true, 2: true, 3: true}, 0, 0},
		{day("2027-01-31").Add(11 * time.Hour), [5]bool{1: true, 2: true, 3: true}, 0, 2},
		{day("2027-01-31").Add(23 * time.Hour), [5]bool{1: true, 3: true}, 1, 1},
		{day("2027-02-01"), [5]bool{3: true}, 2, 0},
	} {
		live := 0
		for d, want := range tt.has {
			if l.Has(uint64(d), tt.now) != want {
				t.Errorf("%s: entry %d is not %t", tt.now, d, want)
			}
			if want {
				live++
			}
		}
		expired, ending := l.Expired(tt.now, 7*24*time.Hour)
		if expired != tt.expired || ending != tt.ending || len(l.Live(tt.now)) != live || l.Len() != 3 {
			t.Errorf("%s: %d expired, %d ending, %d live", tt.now, expired, ending, len(l.Live(tt.now)))
		}
	}
	if err := l.Read("x", strings.NewReader("\n{}\n")); err == nil || !strings.HasPrefix(err.Error(), "x:2: ") {
		t.Errorf("%v", err)
	}
}

func TestIsList(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for text, want := range map[string]bool{
		"# c\n\n{\"digest\":\"9f2c4a0b8d1e6f37\",\"by\":\"a\"}\n":                   true,
		"{\"v\":1,\"type\":\"start\",\"boot\":\"B\"}\n":                             true,
		"{\"digest\":\"9f2c4a0b8d1e6f37\",\"text\":\"a row of a training file\"}\n": false,
		"{\"type\":\"message\",\"v\":1}\n":                                          false,
		"{\"report\":\"noecho common windows\"}\n":                                  false,
		"{\"text\":\"a\"}\n":                                                        false, "text\n": false, "": false,
	} {
		path := filepath.Join(dir, "f")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if IsList(path) != want {
			t.Errorf("%q: not %t", text, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"digest":"9f2c4a0b8d1e6f37","until":"2027-06-30"}`))
	f.Add([]byte(`{"digests":["9f2c4a0b8d1e6f37"],"type":"finding"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		entries, err := Parse(line)
		if err != nil && len(entries) > 0 {
			t.Fatalf("%q: entries and %v", line, err)
		}
		var l List
		l.Add(entries...)
		for _, e := range entries {
			if _, known := l.entries[e.Digest]; !known {
				t.Fatalf("%q: lost", line)
			}
		}
	})
}
