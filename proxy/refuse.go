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
}

// The refusals. 5xx and 429 make clients try again, so they are only for requests that may
// succeed the second time.
var (
	refuseRoute       = refusal{404, "unknown_route", "this method and path are not open here: the operator can open them under routes"}
	refuseShut        = refusal{404, "closed_route", "this path is closed"}
	refuseUnscannable = refusal{400, "unscannable_content", "withheld: the answer could not be scanned"}
	refuseRequest     = refusal{400, "unscannable_request", "the request body could not be read: send one JSON object, nested at most 256 levels deep"}
	refuseAmbiguous   = refusal{400, "ambiguous_request", "the request body has model, messages, prompt, stream or n in another case: write these names in lower case"}
	refuseSigned      = refusal{400, "signed_request", "the request is signed for another host (AWS Signature) and cannot be forwarded: send a Bedrock API key as bearer token instead"}
	refuseAhead       = refusal{400, "token_ids_ahead", "the request asks for token ids that may come before their text, or without it: leave out return_token_ids, return_tokens_as_token_ids or stream, or add content to response_fields"}
	refuseTokens      = refusal{400, "token_prompt", "the prompt has token ids or embeddings, which cannot be compared with the answer: send text, or ask the operator for token_prompts: pass on this route"}
	refuseInternal    = refusal{400, "internal_error", "withheld: noecho failed to judge this answer and reported it"}
	refuseTooLarge    = refusal{413, "request_too_large", "the request body is longer than the configured limit (limits.request)"}
	refuseHeader      = refusal{431, "header_too_large", "the request header is longer than the configured limit (limits.header)"}
	refuseSlow        = refusal{408, "request_timeout", "the request did not arrive within the configured time"}
	refuseBusy        = refusal{429, "overloaded", "as many answers are in flight as limits.streams allows: try again shortly"}
	refuseDraining    = refusal{503, "stopping", "this instance is stopping: try again, another one will answer"}
	refuseRedirect    = refusal{502, "upstream_redirect", "the model server answered with a redirect, which is not passed on: set upstream.url to the address it really answers at"}
	refuseUpstream    = refusal{502, "upstream_unavailable", "the model server cannot be reached or sent no valid answer"}
)

// refusals lists all of them, for metrics that start at 0.
var refusals = [...]refusal{
	refuseRoute, refuseShut, refuseUnscannable, refuseRequest, refuseAmbiguous, refuseAhead, refuseTokens, refuseSigned, refuseInternal, refuseTooLarge, refuseHeader,
	refuseSlow, refuseBusy, refuseDraining, refuseRedirect, refuseUpstream, refuseGuard(badExpect), refuseGuard(""),
}

func refuseGuard(why string) refusal {
	if why == badExpect {
		return refusal{417, "expectation_failed", why}
	}
	return refusal{400, "bad_request", why}
}

// retryable reports whether the same request may succeed later.
func (r refusal) retryable() bool { return r.status == 429 || r.status >= 500 || r.status == 408 }

// refuse answers a request with a refusal. family may be nil.
func refuse(ctx *fasthttp.RequestCtx, family *wire.Family, r refusal) {
	ctx.Response.Reset()
	ctx.SetStatusCode(r.status)
	ctx.SetContentType("application/json")
	switch {
	case r.status == 429 || r.status == 503:
		ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, "1")
	case !r.retryable():
		ctx.Response.Header.Set("X-Should-Retry", "false")
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
	dst = append(dst, `,"type":"invalid_request_error","param":null,"code":`...)
	dst = strconv.AppendQuote(dst, f.Code)
	return append(dst, `}}`...)
}
