//go:build slow

package proxy

// replacedStreams is the number of streams that are open while certificates are replaced.
const replacedStreams = 500
