//go:build slow

package proxy

// thorough says that every case is cut at every offset.
const thorough = true
