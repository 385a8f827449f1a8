//go:build slow

package audit

// kills is the number of appending processes that are killed.
const kills = 200
