package fakellm

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/molecule-man/go-brrr"
)

var (
	errCut  = errors.New("the connection is broken on purpose")
	errStop = errors.New("the answer ends early on purpose")
)

// garbage is a message of a broken server.
const garbage = `{"id":"chatcmpl-fake","choices":[{"index":0,"delta":{"content":"half a`

// sender writes the body of one answer.
type sender struct {
	ctx     context.Context
	head    http.ResponseWriter
	script  *Script
	body    io.Writer // compresses, if the script says so
	packer  packer    // nil: not compressed
	control *http.ResponseController
}

// packer is a compressor that can flush its output.
type packer interface {
	io.WriteCloser
	Flush() error
}

func newSender(w http.ResponseWriter, r *http.Request, s *Script) *sender {
	out := &sender{ctx: r.Context(), head: w, script: s, control: http.NewResponseController(w)}
	var body io.Writer = w
	if s.Slice > 0 {
		body = &slicer{w: w, control: out.control, size: s.Slice}
	}
	out.packer = pack(body, s.Encoding)
	out.body = body
	if out.packer != nil {
		out.body = out.packer
		w.Header().Set("Content-Encoding", strings.TrimSuffix(s.Encoding, "-raw"))
	}
	return out
}

// pack returns a compressor, or nil for none. The deflate of HTTP is zlib; some
// servers send it without the wrapping.
func pack(w io.Writer, encoding string) packer {
	switch encoding {
	case "gzip":
		return gzip.NewWriter(w)
	case "deflate":
		return zlib.NewWriter(w)
	case "deflate-raw":
		p, err := flate.NewWriter(w, flate.DefaultCompression)
		return must(p, err)
	case "br":
		p, err := brrr.NewWriter(w, 4)
		return must(p, err)
	case "zstd":
		p, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		return must(p, err)
	default:
		return nil
	}
}

// must returns a compressor made from constants, which cannot fail.
func must(p packer, err error) packer {
	if err != nil {
		panic("fakellm: internal error: " + err.Error())
	}
	return p
}

// slicer sends a few bytes of body at a time.
type slicer struct {
	w       io.Writer
	control *http.ResponseController
	size    int
}

func (s *slicer) Write(p []byte) (int, error) {
	return writeSlices(p, s.size, func(slice []byte) (int, error) {
		n, err := s.w.Write(slice)
		if err == nil {
			err = s.control.Flush()
		}
		return n, err
	})
}

// writeSlices writes p in slices of size bytes.
func writeSlices(p []byte, size int, write func([]byte) (int, error)) (int, error) {
	for at := 0; at < len(p); {
		n, err := write(p[at:min(at+size, len(p))])
		at += n
		if err != nil {
			return at, err
		}
	}
	return len(p), nil
}

// send writes bytes of the body and flushes them.
func (s *sender) send(p []byte) error {
	if _, err := s.body.Write(p); err != nil {
		return err
	}
	if s.packer != nil {
		if err := s.packer.Flush(); err != nil {
			return err
		}
	}
	return s.control.Flush()
}

// close ends the body.
func (s *sender) close() error {
	if s.packer == nil {
		return nil
	}
	return s.packer.Close()
}

// wait waits for the pace of the script.
func (s *sender) wait() error {
	if s.script.Pace == 0 {
		return s.ctx.Err()
	}
	timer := time.NewTimer(time.Duration(s.script.Pace))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// stream sends the messages of a stream.
func (s *sender) stream(f framing, messages iter.Seq[event], end *Exchange) error {
	h := s.head.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", "no-cache")
	s.head.WriteHeader(http.StatusOK)
	if err := s.control.Flush(); err != nil {
		return err
	}
	for m := range messages {
		if err := s.wait(); err != nil {
			return err
		}
		if s.script.Fault.Kind != NoFault && s.script.Fault.After == end.Messages {
			if err := s.fault(f, end); err != nil {
				return err
			}
		}
		if err := s.send(f.frame(m, end.Messages)); err != nil {
			return err
		}
		end.Messages++
	}
	if f.last != "" {
		if err := s.send([]byte(f.last)); err != nil {
			return err
		}
	}
	return s.close()
}

// fault carries out the fault of the script in a stream. It returns nil if the stream
// goes on.
func (s *sender) fault(f framing, end *Exchange) error {
	switch s.script.Fault.Kind {
	case FaultGarbage:
		end.Messages++
		return s.send(f.frame(event{data: []byte(garbage)}, end.Messages-1))
	case FaultError:
		broken := event{data: errorBody(http.StatusInternalServerError, "the model is out of order")}
		return errors.Join(s.send(f.frame(broken, end.Messages)), s.close(), errStop)
	case FaultShort:
		return errors.Join(s.close(), errStop)
	case FaultSilent:
		<-s.ctx.Done()
		return s.ctx.Err()
	default:
		return errCut
	}
}

// whole sends an answer in one piece.
func (s *sender) whole(body []byte, end *Exchange) error {
	if err := s.wait(); err != nil {
		return err
	}
	s.head.Header().Set("Content-Type", "application/json")
	if s.script.Giant > 0 {
		return s.giant(body, end)
	}
	if s.packer == nil && s.script.Slice == 0 && s.script.Fault.Kind != FaultShort {
		s.head.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	if s.script.Fault.Kind != NoFault {
		return s.spoil(body)
	}
	if _, err := s.body.Write(body); err != nil {
		return err
	}
	end.Messages = 1
	return s.close()
}

// spoil sends an answer with the script's fault in its middle.
func (s *sender) spoil(body []byte) error {
	half := body[:len(body)/2]
	switch s.script.Fault.Kind {
	case FaultGarbage, FaultError:
		out := []byte(garbage)
		if s.script.Fault.Kind == FaultError {
			out = errorBody(http.StatusInternalServerError, "the model is out of order")
		}
		s.head.Header().Del("Content-Length")
		return errors.Join(s.send(out), s.close(), errStop)
	case FaultShort:
		return errors.Join(s.send(half), s.close(), errStop)
	case FaultSilent:
		if err := s.send(half); err != nil {
			return err
		}
		<-s.ctx.Done()
		return s.ctx.Err()
	default:
		if err := s.send(half); err != nil {
			return err
		}
		return errCut
	}
}

// giant sends an answer whose first content is followed by the script's filler, without
// keeping the filler in memory.
func (s *sender) giant(body []byte, end *Exchange) error {
	at := bytes.Index(body, []byte(`"content":"`))
	if at < 0 {
		at = bytes.Index(body, []byte(`"text":"`))
	}
	if at < 0 {
		return errors.New("the answer has no text to go on with")
	}
	text := body[at:]
	at += closingQuote(text)
	if err := s.send(body[:at]); err != nil {
		return err
	}
	for p := range filler(s.script.Giant) {
		if _, err := io.WriteString(s.body, p); err != nil {
			return err
		}
	}
	if err := s.send(body[at:]); err != nil {
		return err
	}
	end.Messages = 1
	return s.close()
}

// closingQuote is the offset of the quotation mark that ends the string value
// of the member that text begins with.
func closingQuote(text []byte) int {
	i := bytes.Index(text, []byte(`":"`)) + len(`":"`)
	for text[i] != '"' {
		if text[i] == '\\' {
			i++
		}
		i++
	}
	return i
}
