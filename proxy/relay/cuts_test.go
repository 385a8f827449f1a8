package relay

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"unicode/utf8"

	"noecho/internal/raced"
	"noecho/proxy/wire"
)

// tellingSplits sends a body as everySplit does, but only in the pieces that tell
// most: cut at, before and behind every message, inside every escape and every
// character, byte by byte, and at a few offsets that are spread evenly. Every case of
// TestAPIs goes through it, and one of each family and framing through everySplit,
// with -tags slow all of them.
func tellingSplits(t *testing.T, cfg Config, body string) outcome {
	t.Helper()
	want := relayed(cfg, body)
	cuts := tellingCuts(cfg.Framing, []byte(body))
	for _, at := range cuts[:raced.Fewer(len(cuts))] {
		check(t, relayed(cfg, body, at...), want, "cut at", at)
	}
	return want
}

// tellingCuts returns lists of offsets to cut a body at.
func tellingCuts(framing wire.Framing, body []byte) [][]int {
	var each, behind, before, inside, escapes, characters []int
	for i, c := range body {
		each = append(each, i)
		ends := c == '\n'
		if framing == wire.Array {
			ends = c == ',' || c == '[' || c == ']'
		}
		if ends {
			behind = append(behind, i+1)
			before = append(before, i)
		}
		switch {
		case c == '\\':
			escapes = append(escapes, i+1, min(i+3, len(body)))
		case !utf8.RuneStart(c):
			characters = append(characters, i)
		}
	}
	if framing == wire.Events || framing == wire.EventChunks {
		behind, before = nil, nil
		for end := 0; end+4 <= len(body); {
			end = min(end+int(max(16, binary.BigEndian.Uint32(body[end:]))), len(body))
			behind, before = append(behind, end), append(before, end-1)
		}
	}
	for _, i := range behind {
		inside = append(inside, min(i+1, len(body)))
	}
	cuts := [][]int{each, behind, before, inside, slices.Sorted(slices.Values(escapes)), characters}
	for i := range 12 {
		cuts = append(cuts, []int{len(body) * (i + 1) / 13})
	}
	if i := bytes.LastIndexByte(body, '}'); i > 0 {
		cuts = append(cuts, []int{i}, []int{i + 1})
	}
	return cuts
}
