//go:build !slow

package proxy

// giantAnswer is the size of the longest answer of TestGiantAnswer, in MB. With
// -tags slow it is 100.
const giantAnswer = 24
