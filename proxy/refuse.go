package proxy

import (
	"strconv"

	"github.com/valyala/fasthttp"

	"noecho/proxy/wire"
)

// refusal is an error that noecho itself answers a request with. Its text is fixed: no byte of
// the request or of an answer comes back in it.
type refusal struct {
	status  int
	code    string // for programs
	message string // for people: the problem, and how to mend it
	allow   string // the methods that would be allowed; empty: the method is not the problem
}

// The refusals. 5xx and 429 make clients try again, so they are only for requests that may
// succeed the second time.
var (
	refuseRoute       = refusal{status: 404, code: "unknown_route", message: "this method and path are not open here: the operator can open them under routes"}
	refuseShut        = refusal{status: 404, code: "closed_route", message: "this path is closed"}
	refuseMethod      = refusal{status: 405, code: "method_not_allowed", message: "this path is not open for this method: the header Allow has those that it is open for"}
	refuseOrigin      = refusal{status: 403, code: "origin_not_allowed", message: "pages of this origin may not ask here: the operator can add it under cors.origins"}
	refuseUnscannable = refusal{status: 400, code: "unscannable_content", message: "withheld: the answer could not be scanned"}
	refuseRequest     = refusal{status: 400, code: "unscannable_request", message: "the request body could not be read: send one JSON object, nested at most 256 levels deep"}
	refuseAmbiguous   = refusal{status: 400, code: "ambiguous_request", message: "the request body has model, messages, prompt, stream or n in another case: write these names in lower case"}
	refuseSigned      = refusal{status: 400, code: "signed_request", message: "the request is signed for another host (AWS Signature) and cannot be forwarded: send a Bedrock API key as bearer token instead"}
	refuseAhead       = refusal{status: 400, code: "token_ids_ahead", message: "the request asks for token ids that may come before their text, or without it: leave out return_token_ids, return_tokens_as_token_ids or stream, or add content to response_fields"}
	refuseTokens      = refusal{status: 400, code: "token_prompt", message: "the prompt has token ids or embeddings, which cannot be compared with the answer: send text, or ask the operator for token_prompts: pass on this route"}
	refuseInternal    = refusal{status: 400, code: "internal_error", message: "withheld: noecho failed to judge this answer and reported it"}
	refuseTooLarge    = refusal{status: 413, code: "request_too_large", message: "the request body is longer than the configured limit (limits.request)"}
	refuseHeader      = refusal{status: 431, code: "header_too_large", message: "the request header is longer than the configured limit (limits.header)"}
	refuseSlow        = refusal{status: 408, code: "request_timeout", message: "the request did not arrive within the configured time"}
	refuseBusy        = refusal{status: 429, code: "overloaded", message: "as many answers are in flight as limits.streams allows: try again shortly"}
	refuseRoom        = refusal{status: 429, code: "overloaded", message: "as many request bodies are in memory as limits.bodies allows: try again shortly"}
	refuseDraining    = refusal{status: 503, code: "stopping", message: "this instance is stopping: try again, another one will answer"}
	refuseRedirect    = refusal{status: 502, code: "upstream_redirect", message: "the model server answered with a redirect, which is not passed on: set upstream.url to the address it really answers at"}
	refuseUpstream    = refusal{status: 502, code: "upstream_unavailable", message: "the model server cannot be reached or sent no valid answer"}
)

// refusals lists all of them, for metrics that start at 0.
var refusals = [...]refusal{
	refuseRoute, refuseShut, refuseMethod, refuseOrigin, refuseUnscannable, refuseRequest, refuseAmbiguous, refuseAhead, refuseTokens, refuseSigned, refuseInternal, refuseTooLarge, refuseHeader,
	refuseSlow, refuseBusy, refuseDraining, refuseRedirect, refuseUpstream, refuseGuard(badExpect), refuseGuard(""),
}

func refuseGuard(why string) refusal {
	if why == badExpect {
		return refusal{status: 417, code: "expectation_failed", message: why}
	}
	return refusal{status: 400, code: "bad_request", message: why}
}

// retryable reports whether the same request may succeed later.
func (r refusal) retryable() bool { return r.status == 429 || r.status >= 500 || r.status == 408 }

// refuse answers a request with a refusal. family may be nil.
func refuse(ctx *fasthttp.RequestCtx, family *wire.Family, r refusal) {
	id := requestIDOf(ctx)
	ctx.Response.Reset()
	ctx.Response.Header.Set(requestID, id)
	ctx.SetStatusCode(r.status)
	ctx.SetContentType("application/json")
	switch {
	case r.status == 429 || r.status == 503:
		ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, "1")
	case !r.retryable():
		ctx.Response.Header.Set("X-Should-Retry", "false")
	}
	if r.allow != "" {
		ctx.Response.Header.Set(fasthttp.HeaderAllow, r.allow)
	}
	f := wire.Failure{Message: r.message, Code: r.code, Status: r.status}
	if family != nil {
		nameFailure(ctx, family, f)
		ctx.Response.SetBodyRaw(family.Failure(nil, f))
		return
	}
	ctx.Response.SetBodyRaw(appendFailure(nil, f))
}

// nameFailure sets the header that some APIs have besides the error body.
func nameFailure(ctx *fasthttp.RequestCtx, family *wire.Family, f wire.Failure) {
	if family.FailureHeader != nil {
		name, value := family.FailureHeader(f)
		ctx.Response.Header.Set(name, value)
	}
}

// appendFailure writes an error of no API family, in the shape that most clients know. Both
// texts are plain ASCII.
func appendFailure(dst []byte, f wire.Failure) []byte {
	dst = append(dst, `{"error":{"message":`...)
	dst = strconv.AppendQuote(dst, f.Message)
	dst = append(append(append(dst, `,"type":"`...), f.Type()...), `","param":null,"code":`...)
	dst = strconv.AppendQuote(dst, f.Code)
	return append(dst, `}}`...)
}
