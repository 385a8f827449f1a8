package proxy

import (
	"bytes"
	"crypto/x509"
	"strings"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"

	"noecho/internal/trace"
	"noecho/proxy/config"
)

// forwardedFor is the header in which each proxy adds the address that it had a request from.
const forwardedFor = "X-Forwarded-For"

// identify returns the address that the trusted proxies had a request from, and the name of its
// user in a header. host is the peer. Either is empty if it is not known or not believed.
func identify(cfg *config.Config, host string, h *fasthttp.RequestHeader) (forwarded, user string) {
	trusted := config.Trusts(cfg.TrustedProxies, host)
	if trusted {
		forwarded = config.Forwarded(cfg.TrustedProxies, h.PeekAll(forwardedFor))
	}
	if name := cfg.Identify.User; name != "" && cfg.Identify.Certificate == config.NameNone && (trusted || len(cfg.TrustedProxies) == 0) {
		user = plainUser(h.Peek(name))
	}
	return forwarded, user
}

// certified returns the name of the user in a certificate; empty if it has none of this kind.
func certified(part config.CertificateName, c *x509.Certificate) string {
	if c == nil {
		return ""
	}
	first := func(names []string) string {
		if len(names) == 0 {
			return ""
		}
		return names[0]
	}
	name := ""
	switch part {
	case config.NameCommon:
		name = c.Subject.CommonName
	case config.NameSubject:
		name = c.Subject.String()
	case config.NameDNS:
		name = first(c.DNSNames)
	case config.NameEmail:
		name = first(c.EmailAddresses)
	case config.NameURI:
		if len(c.URIs) > 0 {
			name = c.URIs[0].String()
		}
	}
	return plainUser([]byte(name))
}

// plainUser returns the name of a user, or nothing if it is no name.
func plainUser(name []byte) string {
	const longest = 256
	if len(name) > longest || !utf8.Valid(name) {
		return ""
	}
	return string(name)
}

// The headers of the W3C that name the trace of a request.
const (
	traceParent = "Traceparent"
	traceState  = "Tracestate"
)

// traceOf returns the place of an answer in the trace of its request.
func traceOf(t *trace.Tracer, h *fasthttp.RequestHeader) trace.Context {
	texts := func(name string) (all []string) {
		for _, v := range h.PeekAll(name) {
			all = append(all, string(v))
		}
		return all
	}
	return t.Begin(texts(traceParent), texts(traceState))
}

// plainTrace returns a trace context of the W3C, or nothing if it is none: four numbers of
// lower-case hexadecimal digits.
func plainTrace(value []byte) string {
	s := string(value)
	parts := strings.Split(s, "-")
	if len(s) != len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01") || len(parts) != 4 ||
		len(parts[0]) != 2 || len(parts[1]) != 32 || len(parts[2]) != 16 ||
		strings.Trim(s, "0123456789abcdef-") != "" {
		return ""
	}
	return s
}

// requestID is the header with the id of a request. Every answer has it, found or not.
const requestID = "X-Request-Id"

// requestIDOf returns the id of a request: the one that its answer has already, else that of the
// caller, else an invented one. The answer has it from then on.
func requestIDOf(ctx *fasthttp.RequestCtx) string {
	id := string(ctx.Response.Header.Peek(requestID))
	if id == "" {
		id = plainID(ctx.Request.Header.Peek(requestID))
	}
	if id == "" {
		id = ulid.Make().String()
	}
	ctx.Response.Header.Set(requestID, id)
	return id
}

// plainID returns an id that a caller chose, or nothing if it may be more than an id.
func plainID(id []byte) string {
	const longest = 128
	if len(id) > longest || bytes.ContainsFunc(id, func(c rune) bool {
		return (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
	}) {
		return ""
	}
	return string(id)
}
