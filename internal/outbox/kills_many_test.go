//go:build slow && !windows

package outbox

const kills = 1000
