package proxy

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// decisive are the members of a request on which the decisions of noecho depend.
var decisive = [...]string{"model", "messages", "prompt", "stream", "n"}

// ambiguous reports whether a request body has a member whose name differs from a decisive
// one in its case only. Some servers take both for the same, and then the policy of one
// model would apply to the answer of another. A body that is not JSON is not ambiguous.
func ambiguous(body []byte) bool {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if t, err := dec.ReadToken(); err != nil || t.Kind() != '{' {
		return false
	}
	for dec.PeekKind() == '"' {
		t, err := dec.ReadToken()
		if err != nil {
			return false
		}
		name := t.String()
		for _, d := range decisive {
			if name != d && strings.EqualFold(name, d) {
				return true
			}
		}
		if dec.SkipValue() != nil {
			return false
		}
	}
	return false
}
