package proxy

import (
	"bytes"
	"strings"

	"github.com/valyala/fasthttp"

	"noecho/proxy/config"
)

// The guard reads a request as the strictest server would, and refuses a request that two
// servers could read differently: with such a request the bytes of one caller can become the
// request of another (request smuggling). The parser of fasthttp is lenient in places (a
// space in a header name, a bare line feed, any version number), so the guard reads the raw
// header block once more, line by line.
//
// It runs before any other code uses the request. The upstream gets a new request, which is
// built from the one that passed the guard.

// The reasons for which the guard refuses. They are fixed, because bytes of a request must
// not come back in an answer or a log.
const (
	badMethod   = "the method is not one of HTTP, or is CONNECT"
	badTarget   = "the request target is not a plain path"
	badVersion  = "only HTTP/1.1 and HTTP/1.0 are spoken here"
	badHeader   = "a header line is malformed"
	badHost     = "exactly one Host header is required"
	badFraming  = "the length of the body is not stated clearly"
	badUpgrade  = "connections are not upgraded: what goes through a WebSocket is not scanned"
	badExpect   = "only Expect: 100-continue can be met"
	badEncoding = "the content encoding of the request is not known"
)

// guard returns the reason for which the request is refused, or "".
func guard(h *fasthttp.RequestHeader) string {
	switch string(h.Method()) {
	case fasthttp.MethodGet, fasthttp.MethodHead, fasthttp.MethodPost, fasthttp.MethodOptions,
		fasthttp.MethodDelete, fasthttp.MethodPut, fasthttp.MethodPatch, fasthttp.MethodTrace:
	default:
		return badMethod
	}
	if !plainTarget(h.RequestURI()) {
		return badTarget
	}
	version := http11
	switch string(h.Protocol()) {
	case "HTTP/1.1":
	case "HTTP/1.0":
		version = http10
	default:
		return badVersion
	}
	var seen framing
	if why := seen.read(h.RawHeaders()); why != "" {
		return why
	}
	return seen.verdict(version)
}

// httpVersion is the version of a request that passed the guard.
type httpVersion uint8

const (
	http11 httpVersion = iota
	http10
)

// plainTarget accepts the origin form only: a path of visible ASCII without empty or dotted
// segments, parameters or backslashes, and a query if there is one. The few escapes that
// [unescape] allows do not change that.
func plainTarget(target []byte) bool {
	if len(target) == 0 || target[0] != '/' {
		return false
	}
	for _, c := range target {
		if c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	raw, _, _ := strings.Cut(string(target), "?")
	path, ok := unescape(raw)
	if !ok || strings.ContainsAny(path, `;\`) || strings.Contains(path, "//") {
		return false
	}
	for seg := range strings.SplitSeq(path[1:], "/") {
		if seg == "." || seg == ".." {
			return false
		}
	}
	return true
}

// framing collects the header lines that say where a request ends.
type framing struct {
	hosts, lengths, codings int
	length, coding          string
}

// read checks every line of a raw header block. It returns the reason of a refusal, or "".
func (f *framing) read(raw []byte) string {
	for len(raw) > 0 {
		end := bytes.IndexByte(raw, '\n')
		if end < 1 || raw[end-1] != '\r' {
			return badHeader // a bare line feed, or no line end at all
		}
		line := raw[:end-1]
		raw = raw[end+1:]
		if len(line) == 0 {
			break // the empty line that ends the block
		}
		colon := bytes.IndexByte(line, ':')
		if colon < 1 || !tokenName(line[:colon]) || !plainValue(line[colon+1:]) {
			return badHeader // includes lines folded onto the next
		}
		if why := f.header(strings.ToLower(string(line[:colon])), strings.Trim(string(line[colon+1:]), " \t")); why != "" {
			return why
		}
	}
	if len(raw) > 0 {
		return badHeader
	}
	return ""
}

// header collects and checks one header line.
func (f *framing) header(name, value string) string {
	switch name {
	case "host":
		f.hosts++
		if value == "" || strings.ContainsAny(value, " \t,/@") {
			return badHost
		}
	case "content-length":
		f.lengths++
		f.length = value
	case "transfer-encoding":
		f.codings++
		f.coding = value
	case "expect":
		if !strings.EqualFold(value, "100-continue") {
			return badExpect
		}
	case "upgrade":
		// Other offers, such as h2c, are ignored: the answer comes in HTTP/1.1 (RFC 9110, 7.8).
		if strings.Contains(strings.ToLower(value), "websocket") {
			return badUpgrade
		}
	}
	return ""
}

// verdict checks the lines that were collected together.
func (f *framing) verdict(v httpVersion) string {
	switch {
	case f.hosts > 1 || f.hosts == 0 && v == http11:
		return badHost
	case f.lengths > 1 || f.codings > 1 || f.lengths+f.codings > 1:
		return badFraming
	case f.codings == 1 && (!strings.EqualFold(f.coding, "chunked") || v == http10):
		return badFraming
	case f.lengths == 1 && !digits(f.length):
		return badFraming
	}
	return ""
}

// tokenName reports whether a header name has only the characters that RFC 9110 allows.
func tokenName(name []byte) bool {
	for _, c := range name {
		if !letterOrDigit(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return len(name) > 0
}

func letterOrDigit(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' }

// plainName reports whether every server reads a header name in the same way. Many take
// characters other than letters, digits and the hyphen for a hyphen.
func plainName(name []byte) bool {
	return !bytes.ContainsFunc(name, func(c rune) bool { return c > 0x7f || !letterOrDigit(byte(c)) && c != '-' })
}

// uncertainEnd reports whether a request that passed the guard has a header that other servers
// could take for one that says where the body ends. It is dropped, but the bytes after this
// request are read as no other request.
func uncertainEnd(h *fasthttp.RequestHeader) bool {
	for line := range bytes.Lines(h.RawHeaders()) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		if plainName(name) {
			continue
		}
		switch config.HyphenName(string(name)) {
		case "content-length", "transfer-encoding":
			return true
		}
	}
	return false
}

// plainValue reports whether a value has no control character, which could end a line or a
// string.
func plainValue(value []byte) bool {
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// signed reports whether a request has an AWS signature. It covers host and path, so that a
// proxy with a host name of its own cannot pass the request on without the secret key.
func signed(h *fasthttp.RequestHeader) bool {
	for _, value := range h.PeekAll(fasthttp.HeaderAuthorization) {
		scheme, _, _ := bytes.Cut(bytes.TrimLeft(value, " \t"), []byte(" "))
		if bytes.HasPrefix(bytes.ToUpper(scheme), []byte("AWS4-")) {
			return true
		}
	}
	_, query, _ := bytes.Cut(h.RequestURI(), []byte("?"))
	for param := range bytes.SplitSeq(query, []byte("&")) {
		name, _, _ := bytes.Cut(param, []byte("="))
		if bytes.EqualFold(name, []byte("X-Amz-Signature")) {
			return true
		}
	}
	return false
}

func digits(s string) bool {
	if s == "" || len(s) > 18 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
