package api

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// The functions below read parts of a request that is known to be valid JSON without names
// that come twice in one object. They check nothing, so that a request is checked once.

// validMembers calls f with every member of an object. Any other value has no members.
func validMembers(object []byte, f func(name string, v jsontext.Value) error) error {
	return eachValid(object, '{', func(literal, v []byte) error {
		name := literal[1 : len(literal)-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			name = wire.AppendText(nil, literal)
		}
		return f(string(name), v)
	})
}

// validElements calls f with every element of an array. Any other value has no elements.
func validElements(array []byte, f func(v jsontext.Value) error) error {
	return eachValid(array, '[', func(_, v []byte) error { return f(v) })
}

// eachValid calls f with every member or element of a container that begins with open. An
// element has no name.
func eachValid(v []byte, open byte, f func(name, v []byte) error) error {
	at := pastSpace(v, 0)
	if at == len(v) || v[at] != open {
		return nil
	}
	for at++; ; {
		switch at = pastSpace(v, at); v[at] {
		case '}', ']':
			return nil
		case ',':
			at = pastSpace(v, at+1)
		}
		var name []byte
		if open == '{' {
			end := pastValue(v, at)
			name, at = v[at:end], pastSpace(v, pastSpace(v, end)+len(":"))
		}
		end := pastValue(v, at)
		if err := f(name, v[at:end]); err != nil {
			return err
		}
		at = end
	}
}

// pastSpace returns the index of the first byte from at on that is no white space.
func pastSpace(v []byte, at int) int {
	for at < len(v) && (v[at] == ' ' || v[at] == '\n' || v[at] == '\r' || v[at] == '\t') {
		at++
	}
	return at
}

// pastValue returns the index behind the value that begins at a byte.
func pastValue(v []byte, at int) int {
	switch v[at] {
	case '"':
		return pastString(v, at)
	case '{', '[':
	default:
		if n := bytes.IndexAny(v[at:], ",]} \n\r\t"); n >= 0 {
			return at + n
		}
		return len(v)
	}
	for depth := 0; ; {
		switch v[at] {
		case '"':
			at = pastString(v, at)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return at + 1
			}
		}
		at++
	}
}

// pastString returns the index behind the string that begins at a byte.
func pastString(v []byte, at int) int {
	for at++; ; at++ {
		at += bytes.IndexByte(v[at:], '"')
		escapes := 0
		for v[at-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return at + 1
		}
	}
}
