package format

import (
	"errors"
	"fmt"
)

// ErrDamaged matches every error about an index file that was changed or cut
// since it was written. Such a file is never loaded.
var ErrDamaged = errors.New("index is damaged")

// ErrForeign is returned for a file that is no index.
var ErrForeign = errors.New("not a noecho index")

// A MismatchError says that an index cannot be used by this build, or not
// together with another index, and which property stands in the way.
type MismatchError struct {
	Field string // what differs
	Have  string // what the index has
	Want  string // what is needed
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s is %s, needed is %s: rebuild the index or use the noecho that built it", e.Field, e.Have, e.Want)
}

// Damaged returns an error that matches ErrDamaged.
func Damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// Mismatch returns a MismatchError for two values of one property.
func Mismatch(field string, have, want any) error {
	return &MismatchError{Field: field, Have: fmt.Sprint(have), Want: fmt.Sprint(want)}
}
