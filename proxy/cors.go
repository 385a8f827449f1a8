package proxy

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"noecho/proxy/config"
)

// A page of another origin asks first whether it may ask: the browser sends an OPTIONS request,
// the preflight, and reads from the answer's Access-Control headers whether the page may read it.
// Without a cors section the upstream decides, and its answer is passed on without the body.

// corsHeaders are the headers of an answer by which a server lets pages of other origins read
// it.
var corsHeaders = []string{
	"access-control-allow-origin", "access-control-allow-credentials", "access-control-allow-methods", "access-control-allow-headers",
	"access-control-allow-private-network", "access-control-expose-headers", "access-control-max-age",
}

// preflight reports whether a request is a preflight.
func preflight(h *fasthttp.RequestHeader) bool {
	return string(h.Method()) == fasthttp.MethodOptions && len(h.Peek(fasthttp.HeaderOrigin)) > 0 &&
		len(h.Peek(fasthttp.HeaderAccessControlRequestMethod)) > 0
}

// cors is the section cors of a configuration.
type cors struct{ *config.CORS }

// admits reports whether the origins of a request may ask. A request without one is no page's.
func (c cors) admits(h *fasthttp.RequestHeader) bool {
	return !c.On() || !slices.ContainsFunc(h.PeekAll(fasthttp.HeaderOrigin), func(o []byte) bool { return len(o) > 0 && !c.allows(o) })
}

func (c cors) allows(origin []byte) bool {
	return slices.Contains(c.Origins, "*") || slices.Contains(c.Origins, string(origin))
}

// drops reports whether a header of a request is kept from the upstream, because noecho
// answers it.
func (c cors) drops(name string) bool {
	return c.On() && (name == "origin" || strings.HasPrefix(name, "access-control-"))
}

// answer answers a preflight for a path that is open for the methods of open.
func (c cors) answer(ctx *fasthttp.RequestCtx, open string) {
	h := &ctx.Response.Header
	ctx.SetStatusCode(fasthttp.StatusNoContent)
	h.Set(fasthttp.HeaderAccessControlAllowMethods, open)
	if names := ctx.Request.Header.Peek(fasthttp.HeaderAccessControlRequestHeaders); len(names) > 0 {
		h.SetBytesV(fasthttp.HeaderAccessControlAllowHeaders, names)
	}
	if string(ctx.Request.Header.Peek("Access-Control-Request-Private-Network")) == "true" {
		h.Set("Access-Control-Allow-Private-Network", "true")
	}
	h.Set(fasthttp.HeaderAccessControlMaxAge, strconv.Itoa(int(c.MaxAge.Seconds())))
	h.Add(fasthttp.HeaderVary, fasthttp.HeaderAccessControlRequestHeaders)
}

// mark sets the headers by which a page of an allowed origin may read the answer.
func (c cors) mark(ctx *fasthttp.RequestCtx) {
	origin := ctx.Request.Header.Peek(fasthttp.HeaderOrigin)
	if !c.On() || len(origin) == 0 || !c.admits(&ctx.Request.Header) || !plainValue(origin) {
		return
	}
	h := &ctx.Response.Header
	if slices.Contains(c.Origins, "*") && !c.Credentials {
		origin = []byte("*")
	} else {
		h.Add(fasthttp.HeaderVary, fasthttp.HeaderOrigin)
	}
	if !preflight(&ctx.Request.Header) {
		var names [][]byte
		for name := range h.All() {
			if string(name) != fasthttp.HeaderVary {
				names = append(names, bytes.Clone(name))
			}
		}
		h.SetBytesV(fasthttp.HeaderAccessControlExposeHeaders, bytes.Join(names, []byte(", ")))
	}
	h.SetBytesV(fasthttp.HeaderAccessControlAllowOrigin, origin)
	if c.Credentials {
		h.Set(fasthttp.HeaderAccessControlAllowCredentials, "true")
	}
}
