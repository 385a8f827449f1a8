package api

import "strings"

// decisive are the members of a request on which the decisions of noecho depend.
var decisive = [...]string{"model", "messages", "prompt", "stream", "n"}

// isAmbiguous reports whether the name of a member differs from a decisive one in its case only.
// Some servers take both for the same, and then the policy of one model would apply to the answer
// of another.
func isAmbiguous(name string) bool {
	for _, d := range decisive {
		if name != d && strings.EqualFold(name, d) {
			return true
		}
	}
	return false
}

// hasAmbiguous reports whether a request body that could not be read has a member whose name is
// ambiguous, up to its first error. A body that is not JSON has none.
func hasAmbiguous(body []byte) bool {
	dec := validDecoder(body)
	if t, err := dec.ReadToken(); err != nil || t.Kind() != '{' {
		return false
	}
	for dec.PeekKind() == '"' {
		t, err := dec.ReadToken()
		if err != nil {
			return false
		}
		if isAmbiguous(t.String()) {
			return true
		}
		if dec.SkipValue() != nil {
			return false
		}
	}
	return false
}
