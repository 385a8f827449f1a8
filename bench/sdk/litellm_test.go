package sdk

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestLiteLLM asks through LiteLLM's proxy before noecho, and through noecho before
// LiteLLM's proxy, for models of OpenAI and of Anthropic in the API of either. One
// LiteLLM does for all: the name of a model begins with the place of its upstream.
func TestLiteLLM(t *testing.T) {
	t.Parallel()
	const bin = "py/litellm/venv/bin/litellm"
	if _, err := os.Stat(bin); err != nil {
		missing(t, "needs LiteLLM: make clients")
	}
	p := newProgram(t)
	address := freeAddress(t)
	models := map[string]model{}
	var config litellm
	for _, place := range []string{"without", "before-observe", "before-redact", "before-block", "behind-observe", "behind-redact", "behind-block"} {
		m := p.model(t, script())
		models[place] = m
		base := m.url
		if mode, ok := strings.CutPrefix(place, "before-"); ok {
			base = p.serve(t, mode, m.url).url
		}
		config.add(place, base)
	}
	config.start(t, bin, address)
	for place, m := range models {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			base, mode := "http://"+address, strings.TrimPrefix(place, "before-")
			if front, ok := strings.CutPrefix(place, "behind-"); ok {
				mode = front
				base = p.serve(t, mode, base).url
			}
			clients := goClients(t, base)[:3] // those of OpenAI and Anthropic
			for _, provider := range []string{"openai", "anthropic"} {
				for _, got := range tellGo(t, clients, place+"-"+provider+"-", m) {
					got.checkLiteLLM(t, provider, place, mode)
				}
			}
		})
	}
}

// checkLiteLLM is check, but for answers that LiteLLM writes anew in the API of
// another provider.
func (c told) checkLiteLLM(t *testing.T, provider, place, mode string) {
	t.Helper()
	switch {
	case provider == "anthropic" && c.API == "openai.responses" && c.Model == "thinking":
		// LiteLLM makes text of the thinking, in the deltas alone or in the end alone.
		if (mode == "redact" || mode == "block") && (sharesWords(c.Text+c.Thinking, letter) || strings.Contains(c.Error, letter)) {
			t.Errorf("it leaks: %+v", c)
		}
		return
	case provider == "openai" && c.API == "anthropic.messages" && place == "before-block":
		c.API = "litellm.messages"
	}
	c.check(t, mode)
}

// litellm is the configuration of a LiteLLM proxy.
type litellm struct {
	Models []litellmModel `json:"model_list"`
}

type litellmModel struct {
	Name   string            `json:"model_name"`
	Params map[string]string `json:"litellm_params"`
}

// add adds each model of script at base, as a model of each provider.
func (c *litellm) add(place, base string) {
	for name := range script() {
		for provider, url := range map[string]string{"openai": base + "/v1", "anthropic": base} {
			c.Models = append(c.Models, litellmModel{
				Name:   place + "-" + provider + "-" + name,
				Params: map[string]string{"model": provider + "/" + name, "api_base": url, "api_key": "sk-of-nobody"},
			})
		}
	}
}

// start starts LiteLLM and ends it with the test.
func (c *litellm) start(t *testing.T, bin, address string) {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.yaml") // JSON is YAML
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	host, port, _ := strings.Cut(address, ":")
	cmd := exec.Command(bin, "--config", file, "--host", host, "--port", port, "--telemetry", "False")
	cmd.Env = append(os.Environ(), "LITELLM_MASTER_KEY=sk-of-nobody", "LITELLM_LOCAL_MODEL_COST_MAP=True", "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	log, ended := launch(t, cmd)
	t.Cleanup(func() {
		var exit *exec.ExitError // it ends by the signal
		if err := stop(cmd, ended); err != nil && !errors.As(err, &exit) {
			t.Errorf("litellm: %v", err)
		}
		if t.Failed() {
			t.Logf("litellm said:\n%s", log)
		}
	})
	if err := awaitReady("http://"+address+"/health/liveliness", ended); err != nil {
		t.Fatalf("litellm: %v\n%s", err, log)
	}
}
