package proxy

import (
	"strings"

	"github.com/valyala/fasthttp"

	"noecho/proxy/wire"
	"noecho/proxy/wire/api"
)

// gate decides about a request of which only the head has come. A request that it refuses is
// never read further. The route may be nil if the request is refused.
func (s *services) gate(h *fasthttp.RequestHeader, snap *snapshot) (*route, refusal, bool) {
	if why := guard(h); why != "" {
		return nil, refuseGuard(why), false
	}
	method, path := string(h.Method()), pathOf(h)
	if preflight(h) {
		method = string(h.Peek(fasthttp.HeaderAccessControlRequestMethod))
	}
	r := snap.routes.find(method, path)
	switch {
	case r == nil:
		if open := snap.routes.methods(path); open != "" {
			why := refuseMethod
			why.allow = open
			return nil, why, false
		}
		return nil, refuseRoute, false
	case !snap.cors().admits(h):
		return r, refuseOrigin, false
	case signed(h):
		return r, refuseSigned, false
	case int64(h.ContentLength()) > snap.cfg.Limits.Request:
		return r, refuseTooLarge, false
	}
	why, ok := s.hasRoom(snap.cfg.Limits.Streams)
	return r, why, ok
}

// pathOf returns the path of a request, as it was sent.
func pathOf(h *fasthttp.RequestHeader) string {
	path, _, _ := strings.Cut(string(h.RequestURI()), "?")
	return path
}

// methodOf returns the method of a request, and "other" for one that only callers know.
func methodOf(h *fasthttp.RequestHeader) string {
	for _, name := range [...]string{
		fasthttp.MethodPost, fasthttp.MethodGet, fasthttp.MethodHead, fasthttp.MethodPut, fasthttp.MethodPatch, fasthttp.MethodDelete, fasthttp.MethodOptions,
	} {
		if string(h.Method()) == name {
			return name
		}
	}
	return otherPath
}

// shapes are the families whose errors the clients of these paths expect, also where no route
// is open. The first prefix that fits decides; without a name the error has the usual shape.
var shapes = [...]struct{ prefix, family string }{
	{"/api/v", ""}, // LM Studio
	{"/api/", "ollama.chat"},
	{"/v1/messages", "anthropic.messages"},
	{"/v1beta/openai/", ""},
	{"/v1beta/", "gemini"},
	{"/model/", "bedrock.converse"},
}

// shapeOf returns the family whose error a refused request gets; nil: the usual shape.
func shapeOf(r *route, path string) *wire.Family {
	if r != nil && r.family != nil {
		return r.family
	}
	for _, shape := range shapes {
		if strings.HasPrefix(path, shape.prefix) {
			return api.ByName(shape.family)
		}
	}
	return nil
}
