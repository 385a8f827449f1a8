package wire

// FIM is Mistral's completion of the middle of a text. The request is that of
// [Completions], with what stands before and behind, the answer that of [Chat].
type FIM struct{ Chat }

// Name implements [Family].
func (FIM) Name() string { return "mistral.fim" }

// Request implements [Family].
func (FIM) Request(path string, body []byte) (Request, error) {
	return Completions{}.Request(path, body)
}

var _ Family = FIM{}
