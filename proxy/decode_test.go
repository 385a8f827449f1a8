package proxy

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
	brrr "github.com/molecule-man/go-brrr"
)

// flusher is an encoder of a stream.
type flusher interface {
	io.WriteCloser
	Flush() error
}

// encoderFor returns an encoder of a content coding.
func encoderFor(t testing.TB, coding string, w io.Writer) flusher {
	t.Helper()
	var enc flusher
	var err error
	switch coding {
	case "gzip":
		enc = gzip.NewWriter(w)
	case "zlib":
		enc = zlib.NewWriter(w)
	case "flate":
		enc, err = flate.NewWriter(w, 6)
	case "br":
		enc, err = brrr.NewWriter(w, 5)
	case "zstd":
		enc, err = zstd.NewWriter(w)
	default:
		t.Fatalf("no encoder for %s", coding)
	}
	if err != nil {
		t.Fatal(err)
	}
	return enc
}

func encode(t testing.TB, coding string, text string) []byte {
	t.Helper()
	var buf bytes.Buffer
	enc := encoderFor(t, coding, &buf)
	if _, err := io.WriteString(enc, text); err != nil {
		t.Fatal(err)
	}
	if err := enc.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// headerName returns the name of a coding in Content-Encoding.
func headerName(coding string) string {
	if coding == "zlib" || coding == "flate" {
		return "deflate"
	}
	return coding
}

var allCodings = []string{"gzip", "zlib", "flate", "br", "zstd"}

const sampleText = "data: {\"choices\":[{\"delta\":{\"content\":\"The quick brown fox\"}}]}\n\n"

func TestDecodeEverySplit(t *testing.T) {
	t.Parallel()
	text := strings.Repeat(sampleText, 3)
	for _, coding := range allCodings {
		t.Run(coding, func(t *testing.T) {
			t.Parallel()
			coded := encode(t, coding, text)
			for cut := range len(coded) + 1 {
				src := io.MultiReader(bytes.NewReader(coded[:cut]), bytes.NewReader(coded[cut:]))
				d := newDecoder(src, []string{headerName(coding)}, 1<<20, 100)
				got, err := io.ReadAll(d)
				d.close()
				if err != nil || string(got) != text {
					t.Fatalf("cut at %d: %q, %v", cut, got, err)
				}
			}
			d := newDecoder(iotest.OneByteReader(bytes.NewReader(coded)), []string{headerName(coding)}, 1<<20, 100)
			if got, err := io.ReadAll(d); err != nil || string(got) != text {
				t.Errorf("byte by byte: %q, %v", got, err)
			}
		})
	}
}

func TestDecodeNoticesEveryTruncation(t *testing.T) {
	t.Parallel()
	for _, coding := range allCodings {
		t.Run(coding, func(t *testing.T) {
			t.Parallel()
			coded := encode(t, coding, sampleText)
			for cut := 1; cut < len(coded); cut++ {
				d := newDecoder(bytes.NewReader(coded[:cut]), []string{headerName(coding)}, 1<<20, 100)
				if got, err := io.ReadAll(d); err == nil {
					t.Fatalf("cut at %d of %d reads as complete: %q", cut, len(coded), got)
				}
				d.close()
			}
		})
	}
}

// TestDecodeRefusesExcess does not test br: its reader drops the bytes behind the end, so that
// they can neither be seen nor sent.
func TestDecodeRefusesExcess(t *testing.T) {
	t.Parallel()
	for _, coding := range []string{"gzip", "zlib", "flate", "zstd"} {
		t.Run(coding, func(t *testing.T) {
			t.Parallel()
			coded := append(encode(t, coding, sampleText), "more"...)
			d := newDecoder(bytes.NewReader(coded), []string{headerName(coding)}, 1<<20, 100)
			if got, err := io.ReadAll(d); err == nil {
				t.Errorf("bytes after the end are taken: %q", got)
			}
		})
	}
}

// TestDecodeLive: bytes that the sender has flushed can be read before more arrive.
func TestDecodeLive(t *testing.T) {
	t.Parallel()
	for _, coding := range allCodings {
		t.Run(coding, func(t *testing.T) {
			t.Parallel()
			pr, pw := io.Pipe()
			next := make(chan struct{})
			go func() {
				var buf bytes.Buffer
				enc := encoderFor(t, coding, &buf)
				for range 3 {
					_, _ = io.WriteString(enc, sampleText)
					_ = enc.Flush()
					_, _ = pw.Write(buf.Bytes())
					buf.Reset()
					<-next // the reader has seen the event before
				}
				_ = enc.Close()
				_, _ = pw.Write(buf.Bytes())
				_ = pw.Close()
			}()
			d := newDecoder(pr, []string{headerName(coding)}, 1<<20, 100)
			event := make([]byte, len(sampleText))
			for range 3 {
				if _, err := io.ReadFull(d, event); err != nil || string(event) != sampleText {
					t.Fatalf("event %q, %v", event, err)
				}
				next <- struct{}{}
			}
			if rest, err := io.ReadAll(d); err != nil || len(rest) > 0 {
				t.Errorf("after the last event: %q, %v", rest, err)
			}
		})
	}
}

func TestDecodeBounds(t *testing.T) {
	t.Parallel()
	zeros := strings.Repeat("\x00", 8<<20)
	for _, coding := range allCodings {
		t.Run(coding, func(t *testing.T) {
			t.Parallel()
			coded := encode(t, coding, zeros)
			for _, tt := range []struct {
				limit, ratio int64
				want         error
			}{{1 << 30, 200, errBomb}, {1 << 20, 1 << 40, errSize}} {
				d := newDecoder(bytes.NewReader(coded), []string{headerName(coding)}, tt.limit, tt.ratio)
				n, err := io.Copy(io.Discard, d)
				if !errors.Is(err, tt.want) || n > 2<<20 {
					t.Errorf("limit %d ratio %d: %d bytes, %v, want %v", tt.limit, tt.ratio, n, err, tt.want)
				}
			}
		})
	}
	d := newDecoder(strings.NewReader(zeros), nil, 1<<30, 2)
	if n, err := io.Copy(io.Discard, d); err != nil || n != int64(len(zeros)) {
		t.Errorf("uncoded: %d bytes, %v", n, err)
	}
}

func TestDecodeStacked(t *testing.T) {
	t.Parallel()
	coded := encode(t, "gzip", string(encode(t, "zstd", sampleText)))
	names, err := codings([]byte("zstd, gzip"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(newDecoder(bytes.NewReader(coded), names, 1<<20, 100)); err != nil || string(got) != sampleText {
		t.Errorf("%q, %v", got, err)
	}
}

func TestCodings(t *testing.T) {
	t.Parallel()
	f := func(header, want string) {
		t.Helper()
		got, err := codings([]byte(header))
		if err != nil {
			got = []string{"refused"}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("codings(%q) = %q, want %q", header, got, want)
		}
	}
	f("", "")
	f("identity", "")
	f("GZIP", "gzip")
	f("x-gzip", "gzip")
	f("deflate , br", "br deflate")
	f("zstd,", "zstd")
	f("compress", "refused")
	f("gzip;q=1", "refused")
	f("gzip, gzip, gzip", "refused")
}

func TestDecodeEmpty(t *testing.T) {
	t.Parallel()
	for _, coding := range allCodings {
		d := newDecoder(strings.NewReader(""), []string{headerName(coding)}, 10, 10)
		if got, err := io.ReadAll(d); err != nil || len(got) > 0 {
			t.Errorf("%s: %q, %v", coding, got, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, coding := range allCodings {
		f.Add(headerName(coding), encode(f, coding, sampleText))
	}
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		names, err := codings([]byte(header))
		if err != nil {
			return
		}
		d := newDecoder(bytes.NewReader(body), names, 1<<20, 100)
		n, _ := io.Copy(io.Discard, d)
		if n > 1<<20+64<<10 {
			t.Errorf("%d bytes decoded", n)
		}
		d.close()
	})
}
