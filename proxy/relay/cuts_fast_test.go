//go:build !slow

package relay

// thorough says that every case is cut at every offset; with -tags slow it is.
const thorough = false
