//go:build !slow && !windows

package outbox

// kills is the number of kills; with the tag slow there are more.
const kills = 8
