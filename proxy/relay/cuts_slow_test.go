//go:build slow

package relay

// thorough says that every case is cut at every offset.
const thorough = true
