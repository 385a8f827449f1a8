package corpus

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func readSubjects(t testing.TB, name, text string) ([]Subject, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	subjects, digest, err := ReadSubjects(path)
	if err == nil && len(digest) != 64 {
		t.Errorf("digest %q", digest)
	}
	return subjects, err
}

func TestReadSubjects(t *testing.T) {
	t.Parallel()
	want := []Subject{
		{ID: "a-1", Labels: []string{"vip", "eu"}, Attributes: []Attribute{{"names", "Ann Ray"}, {"names", "Ann"}, {"phone", "901820"}, {"city", "Berlin"}}},
		{ID: "b", Attributes: []Attribute{{"name", "Ray, Bo"}}},
	}
	for _, tt := range []struct{ name, text string }{
		{"list.jsonl", `{"id":"b","name":" Ray, Bo ","city":null}` + "\n\n" + `{"ID":"a-1","Names":["Ann Ray","Ann"],"labels":["vip","eu"],"phone":901820,"city":"Berlin"}` + "\n"},
		{"list.csv", "\ufeffid,names,Labels,phone,city\na-1,Ann Ray,vip,901820,Berlin\n"},
		{"list.tsv", "id\tnames\n"},
	} {
		got, err := readSubjects(t, tt.name, tt.text)
		switch tt.name {
		case "list.jsonl":
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %+v, %v", tt.name, got, err)
			}
		case "list.csv":
			one := []Subject{{ID: "a-1", Labels: []string{"vip"}, Attributes: []Attribute{{"names", "Ann Ray"}, {"phone", "901820"}, {"city", "Berlin"}}}}
			if err != nil || !reflect.DeepEqual(got, one) {
				t.Errorf("%s: %+v, %v", tt.name, got, err)
			}
		default:
			if err == nil {
				t.Errorf("%s: %+v", tt.name, got)
			}
		}
	}
	// Rows of one id are one subject; quotes and semicolons are as in any table.
	got, err := readSubjects(t, "x.csv", "id;name\n7;\"Ray; Bo\"\n7;Bo Ray\n7;Bo Ray\n")
	if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0].Attributes, []Attribute{{"name", "Ray; Bo"}, {"name", "Bo Ray"}}) {
		t.Errorf("%+v, %v", got, err)
	}
}

// Errors name the line and never a value.
func TestSubjectsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		line       int
	}{
		{"x.csv", "name,email\nsecret,secret@x.org\n", 1},
		{"x.csv", "id,name\n1,secret\n,secret\n", 3},
		{"x.csv", "id,name\n1,secret,more\n", 2},
		{"x.jsonl", `{"id":"1","name":"secret"}` + "\n" + `{"name":"secret"}`, 2},
		{"x.jsonl", `{"id":"1","name":"secret"`, 1},
		{"x.jsonl", `{"id":"1","name":"secret"} {}`, 1},
		{"x.jsonl", `{"id":"1","id":"2","name":"secret"}`, 1},
		{"x.jsonl", `{"id":"secret\u0001"}`, 1},
	} {
		_, err := readSubjects(t, tt.name, tt.text)
		var bad *BadRecord
		if !errors.As(err, &bad) || bad.Line != tt.line || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", tt.text, err)
		}
	}
	for _, text := range []string{"", "\n\n", "id,name\n"} {
		if _, err := readSubjects(t, "x.csv", text); err == nil {
			t.Errorf("%q is a list", text)
		}
	}
}

func TestWeak(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a     Attribute
		words int
		want  bool
	}{
		{Attribute{"name", "Ann"}, 1, true},
		{Attribute{"names", "Ann Ray"}, 2, false},
		{Attribute{"city", "Berlin"}, 1, true},
		{Attribute{"city", "New York"}, 2, true},
		{Attribute{"street", "Hill Road 12"}, 3, true},
		{Attribute{"address", "Hill Road 12, Bath"}, 4, false},
		{Attribute{"customer", "K-482913"}, 2, false},
		{Attribute{"customer", "4821"}, 1, true},
		{Attribute{"customer", "AB4821"}, 1, false},
	} {
		if got := tt.a.Weak(tt.words); got != tt.want {
			t.Errorf("%+v: %v", tt.a, got)
		}
	}
}

func FuzzSubjects(f *testing.F) {
	f.Add("id,name\n1,a\n")
	f.Add(`{"id":"1","names":["a","b"],"x":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		subjects, err := readSubjects(t, "x.csv", text)
		if err == nil && len(subjects) == 0 {
			t.Fatal("no error and no subject")
		}
		for i, s := range subjects {
			if s.ID == "" || i > 0 && s.ID <= subjects[i-1].ID {
				t.Fatalf("subject %d is %+v", i, s)
			}
		}
	})
}
