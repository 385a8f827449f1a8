package proxy

// catalogue lists the paths of every API family that answers with generated
// text. A path is matched whole; {name} stands for any one segment, {name}:text for
// one that ends in :text. A family is one row more here and one codec in package
// wire.
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
		"/v1/responses/{id}", "/v1/responses/{id}/input_items",
		"/responses/{id}", "/responses/{id}/input_items",
		"/openai/v1/responses/{id}", "/openai/v1/responses/{id}/input_items",
		"/openai/responses/{id}", "/openai/responses/{id}/input_items",
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
}

// passTable lists what holds no generated text and is forwarded as it is.
var passTable = []struct {
	methods string
	paths   []string
}{
	{"GET HEAD", []string{
		"/health", "/healthz", "/ping", "/ready", "/live", "/version", "/info",
		"/v1/models", "/v1/models/{model}", "/v1/models/{owner}/{model}", "/models",
		"/openai/v1/models", "/openai/models", "/api/version", "/api/tags", "/api/ps",
		"/v1beta/models", "/v1beta/models/{model}",
	}},
	{"POST", []string{
		"/v1/embeddings", "/embeddings", "/openai/v1/embeddings", "/openai/deployments/{deployment}/embeddings",
		"/api/embed", "/api/embeddings", "/tokenize", "/v1/tokenize", "/v1/messages/count_tokens",
		"/v1/responses/input_tokens",
		"/v1/models/{model}:countTokens", "/v1beta/models/{model}:countTokens",
		"/v1/models/{model}:embedContent", "/v1beta/models/{model}:embedContent",
		"/v1/models/{model}:batchEmbedContents", "/v1beta/models/{model}:batchEmbedContents",
	}},
}
