//go:build slow

package main

// kills is the number of builds that are killed.
const kills = 100
