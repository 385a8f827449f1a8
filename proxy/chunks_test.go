package proxy

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"testing"

	"noecho/detect"
)

// TestChunksLeaveTogether: the events of all chunks that have come leave in one chunk.
func TestChunksLeaveTogether(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for range 12 {
		event := contents(`"Clean words. "`)
		all.WriteString(chunkOf(event))
	}
	up := newScripted(t, func(c *scene) { c.say("%s", headSSE+all.String()+endChunked) })
	cfg := passConfig(t, up.url())
	for _, path := range []string{chatPath, "/raw"} {
		for _, mode := range []detect.Action{detect.Observe, detect.Redact, detect.Block} {
			cfg.Mode = mode
			b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
			answer := b.raw("POST " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " + strconv.Itoa(len(askStream)) + "\r\n\r\n" + askStream)
			_, body, _ := strings.Cut(answer, "\r\n\r\n")
			want := strings.Repeat(contents(`"Clean words. "`), 12)
			if n := strings.Count(body, "\r\n"); n > 6 || !strings.Contains(body, want) {
				t.Errorf("%s, %v: %d line ends of chunks in %q", path, mode, n, body)
			}
		}
	}
}

// chunkOf returns a chunk with some content.
func chunkOf(s string) string { return strconv.FormatInt(int64(len(s)), 16) + "\r\n" + s + "\r\n" }

// TestHalfAChunkDelaysNone: an event leaves although only the beginning of the next chunk has
// come, wherever that is cut.
func TestHalfAChunkDelaysNone(t *testing.T) {
	t.Parallel()
	event, next := contents(`"Clean words. "`), contents(`"More of them. "`)
	rest := chunkOf(next) + endChunked
	cuts := make(chan int, 1)
	seen := make(chan struct{})
	up := newScripted(t, func(c *scene) {
		cut := <-cuts
		c.say("%s", headSSE+chunkOf(event)+rest[:cut])
		wait(t, seen, "the caller to have the first event")
		c.say("%s", rest[cut:])
	})
	b := newBed(t, Options{Config: passConfig(t, up.url()), Open: secretOpen(t)})
	for _, path := range []string{chatPath, "/raw"} {
		for cut := range len(rest) {
			cuts <- cut
			in := openAnswer(t, b, path, askStream)
			got := make([]byte, len(event))
			if _, err := io.ReadFull(in, got); err != nil || string(got) != event {
				t.Fatalf("%s, cut at %d: %q %v", path, cut, got, err)
			}
			seen <- struct{}{}
			if got, err := io.ReadAll(in); err != nil || string(got) != next {
				t.Fatalf("%s, cut at %d: %q %v", path, cut, got, err)
			}
		}
	}
}

// TestFullBufferDelaysNone: the same for an event whose end is about where the buffer of the
// connection ends: a full buffer does not mean that more has come.
func TestFullBufferDelaysNone(t *testing.T) {
	t.Parallel()
	const end = upstreamBuffer // the answer's bytes before the next event
	next := contents(`"More of them. "`)
	rest := chunkOf(next) + endChunked
	sizes := make(chan int, 1)
	seen := make(chan struct{})
	event := func(size int) string {
		frame := len(headSSE) + len(chunkOf(contents(`""`))) + 2 // a longer size has two digits more
		return contents(`"` + strings.Repeat("a ", (size-frame)/2) + strings.Repeat("a", (size-frame)%2) + `"`)
	}
	up := newScripted(t, func(c *scene) {
		size := <-sizes
		c.say("%s", headSSE+chunkOf(event(size))+rest[:2])
		wait(t, seen, "the caller to have the first event")
		c.say("%s", rest[2:])
	})
	b := newBed(t, Options{Config: passConfig(t, up.url()), Open: secretOpen(t)})
	for _, path := range []string{chatPath, "/raw"} {
		for size := end - 6; size < end+6; size++ {
			sizes <- size
			in, want := openAnswer(t, b, path, askStream), event(size)
			got := make([]byte, len(want))
			if _, err := io.ReadFull(in, got); err != nil || string(got) != want {
				t.Fatalf("%s, %d bytes: %.90q %v", path, size, got, err)
			}
			seen <- struct{}{}
			if got, err := io.ReadAll(in); err != nil || string(got) != next {
				t.Fatalf("%s, %d bytes: %q %v", path, size, got, err)
			}
		}
	}
}

// TestHasChunk: the buffered bytes of a reader are a chunk only if the chunk is whole.
func TestHasChunk(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{
		"": false, "5": false, "5\r\nhello": false, "5\r\nhello\r": false, "5\r\nhello\r\n": true, "5\r\nhello\r\n7": true,
		"a\r\n0123456789\r\n": true, "A\r\n0123456789\r\n": true, "5;x=1\r\nhello\r\n": false, "\r\n\r\n": false, "x\r\n\r\n": false,
		"b\r\n0123456789a\r\n": false, "0\r\n": false, "0\r\n\r\n": true, "0\r\nX: y\r\n": false, "ffffffffff\r\n\r\n": false,
	} {
		r := bufio.NewReader(strings.NewReader(in))
		_, _ = r.Peek(len(in))
		if got := hasChunk(r, 10); got != want {
			t.Errorf("%q: %v", in, got)
		}
	}
}
