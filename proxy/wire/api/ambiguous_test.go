package api

import "testing"

// TestAmbiguousNames: names that differ from decisive ones in their case only are noted, also of a
// request that cannot be read, up to its first error.
func TestAmbiguousNames(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		`{"model":"a","n":2}`:                     false,
		`{"model":"a","Model":"b"}`:               true,
		`{"mode\u006c":"a"}`:                      false,
		`{"\u004dodel":"a"}`:                      true,
		`{"\u017ftream":true}`:                    true,
		`{"x":{"Model":"a"}}`:                     false,
		`{"N":2,"x":`:                             true,
		`{"x":1,"x":2,"Messages":[]}`:             true,
		`{"x" 1,"N":2}`:                           false,
		`{"messages":[{"a":1,"a":2}],"Prompt":1}`: true,
		`["Model"]`:                               false,
		`Model`:                                   false,
	} {
		for _, f := range families {
			if r, _ := f.Request("/", []byte(body)); r.Ambiguous != want {
				t.Errorf("%s: %s: %v", f.Name, body, r.Ambiguous)
			}
		}
	}
}
