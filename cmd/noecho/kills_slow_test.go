//go:build slow

package main

// kills is how often a build is killed.
const kills = 100
