// Package residue looks for text that a value keeps although it should have dropped it. Tests of values
// that come from a pool use it.
//
// It knows the layout of Go values and nothing of noecho.
package residue

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"unsafe"
)

// Search describes the values that a search finds, and collects them. A search is used once.
type Search struct {
	Mark   string                    // text of four bytes or more; of bytes that are not a string its first four count
	Hashes map[uint64]bool           // numbers that nothing may keep; nil: none
	Banned func(t reflect.Type) bool // pointers that nothing may keep; nil: none
	Shared func(t reflect.Type) bool // pointers to values that others keep too, so that they are not followed; nil: none

	Found []string // the path of each value that was found, and the value
	Size  int      // bytes of storage that was seen

	seen map[unsafe.Pointer]bool
}

// mostFound is how many values are enough for a message.
const mostFound = 20

// In searches the value that a pointer leads to, members that are not exported and the unused
// ends of slices included. Maps must be empty. name begins the paths.
func (s *Search) In(name string, pointer any) {
	s.seen = map[unsafe.Pointer]bool{}
	s.value(name, reflect.ValueOf(pointer).Elem())
}

func (s *Search) found(at, format string, args ...any) {
	s.Found = append(s.Found, at+": "+fmt.Sprintf(format, args...))
}

func (s *Search) value(at string, v reflect.Value) {
	if len(s.Found) > mostFound {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		s.pointer(at, v)
	case reflect.Interface:
		if !v.IsNil() {
			s.value(at, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			if f.CanAddr() { // also those that are not exported
				f = reflect.NewAt(f.Type(), f.Addr().UnsafePointer()).Elem()
			}
			s.value(at+"."+v.Type().Field(i).Name, f)
		}
	case reflect.Map:
		if v.Len() > 0 {
			s.found(at, "a map with entries")
		}
	case reflect.Slice:
		s.Size += v.Cap() * int(v.Type().Elem().Size())
		s.elements(at, v.Slice3(0, v.Cap(), v.Cap()))
	case reflect.Array:
		s.elements(at, v)
	case reflect.Uint64:
		if s.Hashes[v.Uint()] {
			s.found(at, "a number that is looked for")
		}
	case reflect.String:
		if strings.Contains(v.String(), s.Mark) {
			s.found(at, "%.60q", v.String())
		}
	}
}

func (s *Search) pointer(at string, v reflect.Value) {
	p := v.UnsafePointer()
	if v.IsNil() || s.seen[p] || s.Shared != nil && s.Shared(v.Type()) {
		return
	}
	s.seen[p] = true
	if s.Banned != nil && s.Banned(v.Type()) {
		s.found(at, "%v", v.Type())
		return
	}
	s.Size += int(v.Type().Elem().Size())
	s.value(at, v.Elem())
}

func (s *Search) elements(at string, v reflect.Value) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		all := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(all), v)
		if bytes.Contains(all, []byte(s.Mark[:4])) {
			s.found(at, "%.60q", all)
		}
		return
	}
	for i := range v.Len() {
		s.value(fmt.Sprintf("%s[%d]", at, i), v.Index(i))
	}
}
