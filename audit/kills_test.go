//go:build !slow

package audit

// kills is the number of appending processes that are killed. With -tags slow it is larger.
const kills = 10
