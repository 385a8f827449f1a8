//go:build slow

package proxy

// giantAnswer is the size of the longest answer of TestGiantAnswer, in MB.
const giantAnswer = 100
