//go:build !slow

package main

// kills is how often a build is killed. With -tags slow it is more.
const kills = 5
