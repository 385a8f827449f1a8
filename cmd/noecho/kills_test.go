//go:build !slow

package main

// kills is the number of builds that are killed. With -tags slow it is larger.
const kills = 5
