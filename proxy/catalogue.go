package proxy

import (
	"slices"
	"strings"
)

// passAPI is the api of a route that is forwarded without being scanned.
const passAPI = "pass"

// APIs whose routes allow GET too.
const genericAPI, batchAPI = "generic", "batch"

// catalogue lists the paths of every API family that answers with generated text. A path is
// matched whole; {name} matches any one segment, {name}:text one that ends in :text. A new
// family is a row here and a file in package wire/api.
var catalogue = []struct {
	api     string
	methods string // separated by spaces
	paths   []string
}{
	{"openai.chat", "POST", []string{
		"/v1/chat/completions",
		"/v1/chat/completions/batch",
		"/chat/completions",
		"/openai/v1/chat/completions",
		"/openai/deployments/{deployment}/chat/completions",
		"/openai/deployments/{deployment}/extensions/chat/completions",
		"/v1beta/openai/chat/completions",
		"/v1/agents/completions",
	}},
	{"openai.completions", "POST", []string{
		"/v1/completions",
		"/openai/v1/completions",
		"/openai/deployments/{deployment}/completions",
	}},
	{"openai.responses", "POST", []string{
		"/v1/responses", "/v1/responses/compact", "/v1/responses/{id}/cancel",
		"/responses", "/responses/compact", "/responses/{id}/cancel",
		"/openai/v1/responses", "/openai/v1/responses/compact", "/openai/v1/responses/{id}/cancel",
		"/openai/responses", "/openai/responses/compact", "/openai/responses/{id}/cancel",
	}},
	{"openai.responses", "GET", []string{
		"/v1/responses/{id}/input_items", "/responses/{id}/input_items",
		"/openai/v1/responses/{id}/input_items", "/openai/responses/{id}/input_items",
	}},
	{"openai.responses", "GET DELETE", []string{
		"/v1/responses/{id}", "/responses/{id}", "/openai/v1/responses/{id}", "/openai/responses/{id}",
		"/v1/conversations/{id}", "/openai/v1/conversations/{id}",
		"/v1/conversations/{id}/items/{item}", "/openai/v1/conversations/{id}/items/{item}",
	}},
	{"openai.responses", "GET POST", []string{
		"/v1/conversations/{id}/items", "/openai/v1/conversations/{id}/items",
	}},
	{"anthropic.messages", "POST", []string{
		"/v1/messages",
		"/v1/projects/{project}/locations/{location}/publishers/anthropic/models/{model}:rawPredict",
		"/v1/projects/{project}/locations/{location}/publishers/anthropic/models/{model}:streamRawPredict",
	}},
	{"anthropic.complete", "POST", []string{"/v1/complete"}},
	{"bedrock.converse", "POST", []string{
		"/model/{id}/converse",
		"/model/{id}/converse-stream",
		"/model/{id}/count-tokens",
	}},
	{"bedrock.invoke", "POST", []string{
		"/model/{id}/invoke",
		"/model/{id}/invoke-with-response-stream",
	}},
	{"gemini", "POST", []string{
		"/v1beta/models/{model}:generateContent",
		"/v1beta/models/{model}:streamGenerateContent",
		"/v1beta/tunedModels/{model}:generateContent",
		"/v1beta/tunedModels/{model}:streamGenerateContent",
		"/v1/models/{model}:generateContent",
		"/v1/models/{model}:streamGenerateContent",
		"/v1/tunedModels/{model}:generateContent",
		"/v1/tunedModels/{model}:streamGenerateContent",
		"/v1/projects/{project}/locations/{location}/publishers/{publisher}/models/{model}:generateContent",
		"/v1/projects/{project}/locations/{location}/endpoints/{endpoint}:generateContent",
		"/v1/publishers/{publisher}/models/{model}:generateContent",
		"/v1/projects/{project}/locations/{location}/publishers/{publisher}/models/{model}:streamGenerateContent",
		"/v1/projects/{project}/locations/{location}/endpoints/{endpoint}:streamGenerateContent",
		"/v1/publishers/{publisher}/models/{model}:streamGenerateContent",
		"/v1beta1/projects/{project}/locations/{location}/publishers/{publisher}/models/{model}:generateContent",
		"/v1beta1/projects/{project}/locations/{location}/endpoints/{endpoint}:generateContent",
		"/v1beta1/publishers/{publisher}/models/{model}:generateContent",
		"/v1beta1/projects/{project}/locations/{location}/publishers/{publisher}/models/{model}:streamGenerateContent",
		"/v1beta1/projects/{project}/locations/{location}/endpoints/{endpoint}:streamGenerateContent",
		"/v1beta1/publishers/{publisher}/models/{model}:streamGenerateContent",
	}},
	{"ollama.chat", "POST", []string{"/api/chat"}},
	{"ollama.generate", "POST", []string{"/api/generate"}},
	{"llamacpp.completion", "POST", []string{"/completion", "/completions", "/infill"}},
	{"generate", "POST", []string{"/generate"}},
	{"tgi", "POST", []string{"/", "/generate_stream"}},
	{"sglang.generate", "POST", nil}, // on /generate, if a route says so
	{"invocations", "POST", []string{"/invocations"}},
	{"cohere.chat", "POST", []string{
		"/v2/chat",
		"/cohere/v2/chat",
	}},
	{"cohere.v1", "POST", []string{
		"/v1/chat",
		"/v1/generate",
	}},
	{"mistral.fim", "POST", []string{
		"/v1/fim/completions",
	}},
	{"mistral.conversations", "POST", []string{
		"/v1/conversations",
		"/v1/conversations/{conversation}",
		"/v1/conversations/{conversation}/restart",
	}},
	{"mistral.conversations", "GET", []string{
		"/v1/conversations/{conversation}/history",
		"/v1/conversations/{conversation}/messages",
	}},
	{"generic", "POST", []string{
		"/v1/audio/transcriptions", "/v1/audio/translations",
		"/v2/models/{model}/generate", "/v2/models/{model}/generate_stream",
		"/v2/models/{model}/versions/{version}/generate", "/v2/models/{model}/versions/{version}/generate_stream",
		"/api/v1/chat",
		"/v1/threads/runs", "/v1/threads/{thread}/runs", "/v1/threads/{thread}/runs/{run}/submit_tool_outputs",
	}},
	{"generic", "GET", []string{
		"/v1/chat/completions", "/v1/chat/completions/{id}/messages",
		"/v1/threads/{thread}/messages", "/v1/threads/{thread}/messages/{message}",
		"/v1/threads/{thread}/runs/{run}/steps", "/v1/threads/{thread}/runs/{run}/steps/{step}",
	}},
	{"generic", "GET DELETE", []string{"/v1/chat/completions/{id}"}},
	{"batch", "GET", []string{
		"/v1/files/{file}/content", "/openai/v1/files/{file}/content", "/openai/files/{file}/content",
		"/v1/messages/batches/{batch}/results",
	}},
}

// passTable lists the paths whose answers have no generated text. They are forwarded as they are.
var passTable = []struct {
	methods string
	paths   []string
}{
	{"GET HEAD", []string{
		"/", "/health", "/healthz", "/ping", "/ready", "/live", "/version", "/info",
		"/v1/health", "/health/liveliness", "/health/liveness", "/health/readiness", "/health_generate",
		"/health/live", "/health/ready", "/v1/health/live", "/v1/health/ready", "/v1/version", "/v1/metadata", "/is_sleeping",
		"/get_model_info", "/model_info", "/model/info", "/v1/model/info", "/model_group/info",
		"/v1/models", "/v1/models/{model}", "/v1/models/{owner}/{model}", "/models",
		"/openai/v1/models", "/openai/models", "/api/version", "/api/tags", "/api/ps",
		"/metrics", "/docs", "/openapi.json", "/load",
		"/api/v0/models", "/api/v0/models/{model}", "/api/v1/models",
		"/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/{model}", "/v2/models/{model}/ready", "/v2/models/{model}/config",
		"/v2/models/{model}/versions/{version}", "/v2/models/{model}/versions/{version}/ready",
		"/v1beta/models", "/v1beta/models/{model}",
	}},
	{"POST", []string{
		"/v1/embeddings", "/embeddings", "/openai/v1/embeddings", "/openai/deployments/{deployment}/embeddings",
		"/api/embed", "/api/embeddings", "/tokenize", "/v1/tokenize", "/v1/messages/count_tokens",
		"/v1/responses/input_tokens",
		"/v1/moderations", "/v1/rerank", "/v2/rerank", "/rerank", "/v1/score", "/score", "/classify",
		"/v1/models/{model}:countTokens", "/v1beta/models/{model}:countTokens",
		"/v1/models/{model}:embedContent", "/v1beta/models/{model}:embedContent",
		"/v1/models/{model}:batchEmbedContents", "/v1beta/models/{model}:batchEmbedContents",
	}},
}

// closedTable lists paths of model servers that noecho keeps closed until an operator opens
// them, and why. A path that ends in / means all paths below it.
var closedTable = []struct {
	why   string
	paths []string
}{
	{"it is a WebSocket, and what goes through one is not scanned", []string{
		"/v1/realtime", "/v1/realtime/", "/openai/realtime", "/openai/v1/realtime", "/api/events/",
	}},
	{"it replays answers as the model gave them, with what was withheld", []string{
		"/v1/stream", "/v1/stream/", "/v1/streams", "/v1/streams/",
	}},
	{"it shows the prompts and answers of all callers", []string{"/slots", "/slots/"}},
	{"it shows or changes the prompts and settings of the model server", []string{"/props", "/api/show", "/server_info", "/get_server_info"}},
	{"it turns the ids of tokens into text, those of a withheld text too", []string{"/detokenize", "/v1/detokenize", "/chat_tokenize"}},
	{"it answers with ids of tokens, which cannot be scanned", []string{"/inference/v1/generate"}},
	{"it answers with a prompt or with numbers about one, which are not scanned", []string{
		"/apply-template", "/v1/chat/completions/render", "/v1/completions/render", "/generative_scoring", "/pooling",
		"/parse_function_call", "/separate_reasoning",
	}},
	{"it answers with sound, which cannot be scanned", []string{"/v1/audio/speech", "/openai/deployments/{deployment}/audio/speech"}},
	{"it answers with pictures, which cannot be scanned", []string{
		"/v1/images/generations", "/v1/images/edits", "/v1/images/variations", "/openai/deployments/{deployment}/images/generations",
	}},
	{"it fetches any address on behalf of the caller", []string{"/cors-proxy"}},
	{"it runs tools on the model server", []string{"/tools"}},
	{"it serves files that need not be text", []string{"/v1/containers/"}},
	{"it shows, changes or copies the models themselves", []string{
		"/models/load", "/models/unload", "/v1/load_lora_adapter", "/v1/unload_lora_adapter", "/load_lora_adapter", "/unload_lora_adapter",
		"/lora-adapters", "/api/pull", "/api/push", "/api/create", "/api/copy", "/api/delete", "/api/blobs/", "/v2/repository/",
		"/update_weights_from_disk", "/update_weights_from_tensor", "/update_weights_from_distributed", "/init_weights_update_group",
		"/get_weights_by_name", "/collective_rpc", "/v1/fine_tuning/",
	}},
	{"it manages the model server", []string{
		"/flush_cache", "/reset_prefix_cache", "/start_profile", "/stop_profile", "/sleep", "/wake_up", "/scale_elastic_ep",
		"/release_memory_occupation", "/resume_memory_occupation", "/v1/chat/completions/control",
	}},
}

// closed returns the reason for which a path is closed unless an operator opens it. It is
// empty for a path that is not in closedTable.
func closed(path string) string {
	for _, row := range closedTable {
		for _, p := range row.paths {
			if p == path || strings.HasSuffix(p, "/") && strings.HasPrefix(path, p) || samePath(p, path) {
				return row.why
			}
		}
	}
	return ""
}

// catalogued returns the API and the methods of a path by default, or empty strings.
func catalogued(path string) (api, methods string) {
	for _, row := range catalogue {
		if slices.Contains(row.paths, path) {
			return row.api, row.methods
		}
	}
	for _, row := range passTable {
		if slices.Contains(row.paths, path) {
			return passAPI, row.methods
		}
	}
	return "", ""
}

func apiNames() string {
	var names []string
	for _, row := range catalogue {
		if !slices.Contains(names, row.api) {
			names = append(names, row.api)
		}
	}
	return strings.Join(slices.Compact(names), ", ")
}

// samePath reports whether a path has the shape of a pattern, whose {name} is a whole
// segment.
func samePath(pattern, path string) bool {
	return slices.EqualFunc(strings.Split(pattern, "/"), strings.Split(path, "/"), func(want, got string) bool {
		return want == got || strings.HasPrefix(want, "{") && plainSegment(got)
	})
}
