package relay

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"noecho/proxy/wire"
	"noecho/proxy/wire/api"
)

var updateAPIs = flag.Bool("update-apis", false, "write docs/routes.md anew")

// apiCase is one shape of one API's answers. Each is judged in all modes, in
// every split; together they are the table of docs/routes.md.
type apiCase struct {
	api   string // name of the family
	shape string // the place of the text: "text", "tool arguments", "logprobs", …
	path  string // of the request
	ask   string // body of the request; empty: GET

	// contentType is that of the answer.
	contentType string
	// body is the answer whose text is said in the given pieces, each of which
	// goes into a message of its own if the answer is a stream. Every place
	// that repeats the text repeats it.
	body func(pieces []string) []byte
	// text reads the answer's text back, as a client does: from an answer that
	// was redacted or blocked too. It fails the test if the API does not
	// allow the answer, its end included.
	text func(t *testing.T, body []byte) string
	// filtered checks that a blocked answer ends as the API says.
	// Only for streams; nil: text checks it.
	filtered func(t *testing.T, body []byte)
	// mask replaces the secret in text; empty: the configured mask does.
	mask string
}

// apiCases are the cases of all families.
func apiCases() []apiCase {
	return slices.Concat(openAICases(), azureCases(), mistralCases(), cohereCases(), responsesCases(), anthropicCases(), geminiCases(), bedrockCases(), genericCases(), localCases())
}

// The texts of the cases. The words of the secret are nowhere else, in no API.
const (
	apiSecret = "quartz violet sphinx umpire walnut lagoon cobalt"
	apiBefore = "he said to me that"
	apiAfter  = ", and then we left"
)

// apiPieces cuts a text into pieces as a tokeniser does: spaces lead.
func apiPieces(text string) []string {
	var out []string
	for i, w := range strings.SplitAfter(text, " ") {
		if w = strings.TrimSuffix(w, " "); i > 0 {
			w = " " + w
		}
		if n := len(w) / 2; n > 2 {
			out = append(out, w[:n], w[n:])
			continue
		}
		out = append(out, w)
	}
	return out
}

// config returns the configuration that the proxy would make for a case.
func (c *apiCase) config(t *testing.T, mode Decision) Config {
	t.Helper()
	family := api.ByName(c.api)
	if family == nil {
		t.Fatalf("no family %s", c.api)
	}
	cfg := testConfig(t)
	cfg.Family, cfg.Decision, cfg.Set = family, mode, newMemory(cfg.Spec, apiSecret)
	cfg.Request = wire.Request{N: 1}
	if c.ask != "" {
		var err error
		if cfg.Request, err = family.Request(c.path, []byte(c.ask)); err != nil {
			t.Fatal(err)
		}
	}
	cfg.Framing = family.Framing(c.contentType, cfg.Request)
	return cfg
}

func (c *apiCase) streamed(t *testing.T) bool { return c.config(t, redacting).Framing != wire.JSON }

// judge sends an answer through a relay, a stream in all the splits of split.
func (c *apiCase) judge(t *testing.T, mode Decision, split splitter, body []byte) outcome {
	t.Helper()
	cfg := c.config(t, mode)
	if cfg.Framing == wire.JSON {
		o, _ := whole(cfg, string(body))
		return o
	}
	return split(t, cfg, string(body))
}

// A splitter sends a body through a relay in several ways, fails the test if they
// differ, and returns the outcome.
type splitter = func(t *testing.T, cfg Config, body string) outcome

// TestAPIs holds every cell of docs/routes.md.
func TestAPIs(t *testing.T) {
	t.Parallel()
	net := openNet(t)
	type kind struct {
		api     string
		framing wire.Framing
	}
	seen := map[kind]bool{}
	for _, c := range apiCases() {
		split := tellingSplits
		if k := (kind{c.api, c.config(t, redacting).Framing}); thorough || !seen[k] {
			seen[k], split = true, everySplit
		}
		t.Run(c.api+"/"+c.shape, func(t *testing.T) {
			t.Parallel()
			name := c.api + "/" + c.shape + " " + c.contentType
			clean := c.body(apiPieces(apiBefore + apiAfter))
			leak := c.body(apiPieces(apiBefore + " " + apiSecret + apiAfter))
			mask := c.mask
			if mask == "" {
				mask = "[redacted]"
			}
			t.Run("clean", func(t *testing.T) {
				t.Parallel()
				for _, mode := range []Decision{redacting, blocking, observing} {
					got := c.judge(t, mode, split, clean)
					net.compare(t, fmt.Sprintf("%s/clean %v", name, mode), got)
					if got.out != string(clean) || got.err != nil || len(got.findings) > 0 || got.counts.Scanned != int64(len(clean)) {
						t.Errorf("%v: got %s\n%v %q %+v\nof  %s", mode, got.out, got.err, got.findings, got.counts, clean)
					}
				}
				if got := c.text(t, clean); got != apiBefore+apiAfter {
					t.Errorf("text = %q", got)
				}
			})
			t.Run("observe", func(t *testing.T) {
				t.Parallel()
				got := c.judge(t, observing, split, leak)
				net.compare(t, name+"/observe", got)
				if got.out != string(leak) || got.err != nil || len(got.findings) == 0 {
					t.Errorf("got %s\n%v %q", got.out, got.err, got.findings)
				}
			})
			t.Run("redact", func(t *testing.T) {
				t.Parallel()
				got := c.judge(t, redacting, split, leak)
				net.compare(t, name+"/redact", got)
				if got.err != nil || len(got.findings) == 0 {
					t.Errorf("%v %q", got.err, got.findings)
				}
				hidden(t, got.out)
				if text := c.text(t, []byte(got.out)); text != apiBefore+" "+mask+apiAfter {
					t.Errorf("text = %q in %s", text, got.out)
				}
			})
			t.Run("block", func(t *testing.T) {
				t.Parallel()
				got := c.judge(t, blocking, split, leak)
				net.compare(t, name+"/block", got)
				if !errors.Is(got.err, ErrBlocked) || len(got.findings) == 0 {
					t.Errorf("%v %q", got.err, got.findings)
				}
				hidden(t, got.out)
				if !c.streamed(t) {
					if !json.Valid([]byte(got.out)) || !strings.Contains(got.out, wire.Withheld.Message) {
						t.Errorf("got %s", got.out)
					}
					return
				}
				if text := strings.TrimSpace(c.text(t, []byte(got.out))); text != apiBefore {
					t.Errorf("text = %q in %s", text, got.out)
				}
				if c.filtered != nil {
					c.filtered(t, []byte(got.out))
				}
			})
		})
	}
}

// hidden fails if a word of the secret stands in body: as it is, in escapes of
// JSON, in base64 or as an array of bytes.
func hidden(t *testing.T, body string) {
	t.Helper()
	views := []string{body, unescaped(body)}
	for _, s := range regexp.MustCompile(`[A-Za-z0-9+/_-]{8,}={0,2}`).FindAllString(body, -1) {
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
			if b, err := enc.DecodeString(s); err == nil {
				views = append(views, string(b), unescaped(string(b)))
			}
		}
	}
	for _, s := range regexp.MustCompile(`\[[0-9, ]+\]`).FindAllString(body, -1) {
		var numbers []int
		if json.Unmarshal([]byte(s), &numbers) == nil {
			b := make([]byte, len(numbers))
			for i, n := range numbers {
				b[i] = byte(n)
			}
			views = append(views, string(b))
		}
	}
	for _, v := range views {
		for _, w := range strings.Fields(apiSecret) {
			if strings.Contains(strings.ToLower(v), w) {
				t.Fatalf("%q left in %s", w, body)
			}
		}
	}
}

// unescaped is body without the escapes that JSON knows.
func unescaped(body string) string {
	return regexp.MustCompile(`\\u[0-9a-fA-F]{4}`).ReplaceAllStringFunc(body, func(s string) string {
		var out string
		_ = json.Unmarshal([]byte(`"`+s+`"`), &out)
		return out
	})
}

// TestAPITable compares docs/routes.md with the cases.
func TestAPITable(t *testing.T) {
	t.Parallel()
	const file = "../../docs/routes.md"
	const begin, end = "<!-- begin table -->\n", "<!-- end table -->\n"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	from, to := bytes.Index(page, []byte(begin)), bytes.Index(page, []byte(end))
	if from < 0 || to < 0 {
		t.Fatalf("%s has no table between %q and %q", file, begin, end)
	}
	from += len(begin)
	want := apiTable(t)
	if *updateAPIs {
		page = slices.Concat(page[:from], []byte(want), page[to:])
		if err := os.WriteFile(file, page, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(page[from:to]) != want {
		t.Errorf("%s is not what the cases say: go test ./proxy/relay -run TestAPITable -update-apis", file)
	}
}

// apiTable is the table of docs/routes.md: a row for each family, with the shapes
// of answers that its cases send.
func apiTable(t *testing.T) string {
	t.Helper()
	type row struct{ streamed, whole []string }
	var names []string
	rows := map[string]*row{}
	for _, c := range apiCases() {
		if rows[c.api] == nil {
			names = append(names, c.api)
			rows[c.api] = &row{}
		}
		if r := rows[c.api]; c.streamed(t) {
			r.streamed = append(r.streamed, c.shape)
		} else {
			r.whole = append(r.whole, c.shape)
		}
	}
	var b strings.Builder
	b.WriteString("| API | streamed | in one piece |\n|---|---|---|\n")
	for _, name := range names {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, strings.Join(rows[name].streamed, ", "), strings.Join(rows[name].whole, ", "))
	}
	return b.String()
}
