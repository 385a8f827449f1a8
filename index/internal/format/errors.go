package format

import (
	"errors"
	"fmt"
)

// ErrDamaged matches every error about an index file that was changed or cut after it
// was written. Such a file is never opened.
var ErrDamaged = errors.New("index is damaged")

// ErrForeign is returned for a file that is not an index.
var ErrForeign = errors.New("not a noecho index: name a file that noecho index build wrote")

// A MismatchError names the property for which an index cannot be used by this build,
// or together with another index.
type MismatchError struct {
	Field string // name of the property
	Have  string // its value in the index
	Want  string // the value that is required
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s is %s, but must be %s: rebuild the index, or use the version of noecho that built it", e.Field, e.Have, e.Want)
}

// Damaged returns an error that matches ErrDamaged.
func Damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}
