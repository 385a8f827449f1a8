package api

import (
	"fmt"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzValid: of valid JSON, the functions that check nothing read what those that check read.
func FuzzValid(f *testing.F) {
	for _, s := range []string{
		`{"a":1,"b":[true,null,{"c":"d"}],"e\"\\":"\\\"","f\u0041":-1.5e3}`, ` [ 1 , "a" , { } , [ ] , "\\" ] `, `{}`, `[]`, `"a"`, `1`, ` { "a" : "b" } `,
		"{\"a\"\n:\t\"}],\"\r}", `["\\\\\"",""]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, v []byte) {
		if !jsontext.Value(v).IsValid(jsontext.AllowInvalidUTF8(true)) {
			return
		}
		var got, want string
		_ = validMembers(v, func(name string, v jsontext.Value) error {
			got += fmt.Sprintf("%q: %q\n", name, v)
			return nil
		})
		_ = validElements(v, func(v jsontext.Value) error {
			got += fmt.Sprintf("%q\n", v)
			return nil
		})
		_ = eachMember(v, func(name string, v jsontext.Value) error {
			want += fmt.Sprintf("%q: %q\n", name, v)
			return nil
		})
		_ = eachElement(v, func(v jsontext.Value) error {
			want += fmt.Sprintf("%q\n", v)
			return nil
		})
		if got != want {
			t.Errorf("%q:\n%swant\n%s", v, got, want)
		}
	})
}
