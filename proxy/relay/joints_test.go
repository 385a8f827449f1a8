package relay

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"noecho/internal/raced"
	"noecho/ngram"
	"noecho/proxy/wire"
)

// longRecord has 45 words, none of which is in a frame of an API.
var longRecord = slices.Concat(answerRecord, strings.Fields("urchin velvet willow yonder zephyr acorn bramble cactus dahlia ember fjord garnet heron "+
	"iguana juniper kestrel lantern magnet nimbus orchid pebble quince russet sorrel thistle"))

// longWords matches a word of the long record, glued to others or not.
var longWords = regexp.MustCompile(strings.Join(longRecord, "|"))

// leftOfLong returns the most words of the long record that follow each other in body,
// whatever is between them.
func leftOfLong(body string) int {
	best, n, last := 0, 0, -2
	for _, w := range longWords.FindAllString(body, -1) {
		i := slices.Index(longRecord, w)
		if i != last+1 {
			n = 0
		}
		n, last = n+1, i
		best = max(best, n)
	}
	return best
}

// longConfig is a configuration whose index has the long record.
func longConfig(t *testing.T, cfg Config) Config {
	t.Helper()
	var err error
	if cfg.Spec, err = ngram.NewSpec(10, ngram.XXH64); err != nil {
		t.Fatal(err)
	}
	cfg.Set = newMemory(cfg.Spec, strings.Join(longRecord, " "))
	return cfg
}

// piecePlaces are the places of streams whose values are pieces of one text by their API, as
// the ends of their paths: a client puts them together as they are. Behind them are lists of
// tokens.
var piecePlaces = regexp.MustCompile(`\.(` + strings.Join([]string{
	`completion`, `delta\.text`, `delta\.thinking`, `delta\.partial_json`, `delta\.reasoningContent\.text`, `delta\.toolResult\[\]\.text`, `delta\.toolUse\.input`,
	`message\.content\.text`, `message\.content\.thinking`, `message\.tool_plan`, `arguments`, `text`, `parameters`, `parts\[\]\.text`, `token\.text`,
	`delta\.content`, `delta\.content\[\]\.text`, `thinking\[\]\.text`, `content`, `content\.text`, `message\.content`, `thinking`, `response`, `audio\.transcript`,
	`reasoning_content`, `reasoning_details\[\]\.text`, `refusal`, `custom\.input`, `delta`,
	`token`, `tokens\[\]`, `tok_str`, `completion_probabilities\[\]\.content`, `logprobs\.text`, `output_token_logprobs\[\]\[\]`, `output_top_logprobs\[\]\[\]\[\]`,
}, "|") + `)$`)

// wholePlaces are places with the ending of a piece place whose values may be whole texts.
var wholePlaces = regexp.MustCompile(`executableCode|codeExecutionResult|^generic `)

// TestPlacesOfWholeTexts: a record that is cut over messages, without a space where they
// meet, is found at all places but those whose values are pieces of one text.
func TestPlacesOfWholeTexts(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range apiCases() {
		cfg := longConfig(t, c.config(t, redacting))
		if cfg.Framing == wire.JSON || cfg.Framing == wire.Records || strings.Contains(c.shape, "two") || strings.Contains(c.shape, "candidates") || c.shape == "vllm lines" {
			continue // choices are answers of their own
		}
		clean := c.body(slices.Repeat([]string{"it "}, 16))
		survey := planter{next: func() string { return "" }}
		survey.body(cfg, clean)
		slices.Sort(survey.paths)
		for _, at := range slices.Compact(survey.paths) {
			skip := func(s string) bool { return strings.Contains(at, s) }
			if slices.ContainsFunc(unreadPlaces, skip) || piecePlaces.MatchString(at) && !wholePlaces.MatchString(c.api+" "+at) || !thorough && seen[c.api+at] {
				continue
			}
			if seen[c.api+at] = true; raced.Skips(len(seen)) {
				continue
			}
			t.Run(c.api+"/"+c.shape+at, func(t *testing.T) {
				t.Parallel()
				for _, size := range []int{3, 5, 8, 9} {
					plantJoints(t, cfg, clean, at, size)
				}
			})
		}
	}
}

// plantJoints cuts the long record over the messages at one path and fails if more words of
// it leave without spaces between the messages than with.
func plantJoints(t *testing.T, cfg Config, clean []byte, at string, size int) {
	t.Helper()
	body := func(joint string) string {
		pieces := cutEvery(longRecord, size)
		p := planter{at: at, next: func() string {
			if len(pieces) == 0 {
				return ""
			}
			piece := pieces[0] + joint
			pieces = pieces[1:]
			return piece
		}, within: func(piece string) string { return `"zz":` + string(mustJSON(piece)) }}
		return p.body(cfg, clean)
	}
	apart := leftOfLong(relayed(cfg, body(" ")).out)
	for _, mode := range []Decision{redacting, blocking} {
		cfg.Decision = mode
		if o := relayed(cfg, body("")); leftOfLong(o.out) > max(apart, cfg.Spec.N-1) {
			t.Errorf("%v, %d words a message at %s: %d words left, %d with spaces, findings %q", mode, size, at, leftOfLong(o.out), apart, o.findings)
		}
	}
}

// cutEvery cuts words into pieces of size words.
func cutEvery(words []string, size int) []string {
	var out []string
	for piece := range slices.Chunk(words, size) {
		out = append(out, strings.Join(piece, " "))
	}
	return out
}

// besideShapes are answers whose text takes turns with text beside it, as the answer shapes.
func besideShapes() []answerShape {
	chat := func(beside string) func([]string) string {
		return lines(sseEvent, `{"choices":[{"index":0,"delta":{"content":%[1]s}}]}`, beside)
	}
	gemini := func(beside string) func([]string) string {
		return lines(sseEvent, `{"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":%[1]s}]}}]}`, `{"candidates":[{"index":0,`+beside+`}]}`)
	}
	frame := func(p string) string { return awsFrame("event", "contentBlockDelta", p) }
	token := func(list string) string {
		return `{"choices":[{"index":0,"delta":{"content":""},"logprobs":{"content":[` + list + `]}}]}`
	}
	return []answerShape{
		{"openai.chat unknown member", eventType, true, chat(`{"choices":[{"index":0,"delta":{"zz":%[1]s}}]}`)},
		{"openai.chat unknown member of the choice", eventType, true, chat(`{"choices":[{"index":0,"delta":{},"zz":[{"t":%[1]s}]}]}`)},
		{"openai.chat unknown member of the message", eventType, true, chat(`{"choices":[],"zz":{"t":%[1]s}}`)},
		{"openai.chat error", eventType, true, chat(`{"error":{"message":%[1]s,"type":"server_error"}}`)},
		{"openai.chat annotations", eventType, true, chat(`{"choices":[{"index":0,"delta":{"annotations":[{"type":"url_citation","url_citation":{"title":%[1]s,"url":"https://example.com/a"}}]}}]}`)},
		{"openai.chat thinking blocks", eventType, true, chat(`{"choices":[{"index":0,"delta":{"thinking_blocks":[{"type":"thinking","thinking":%[1]s}]}}]}`)},
		{"openai.chat executed tools", eventType, true, chat(`{"choices":[{"index":0,"delta":{"executed_tools":[{"index":0,"type":"search","output":%[1]s}]}}]}`)},
		{"openai.chat tokens", eventType, true, chat(token(`{"token":%[1]s,"logprob":-1,"bytes":null,"top_logprobs":[]}`))},
		{"openai.chat tokens and alternatives", eventType, true, chat(token(`{"token":%[1]s,"logprob":-1,"bytes":null,"top_logprobs":[{"token":%[1]s,"logprob":-1,"bytes":null},{"token":"so","logprob":-2,"bytes":null}]}`))},
		{"openai.chat one body", jsonType, false, within(`{"choices":[{"index":0,"messages":[%s]}]}`, `{"role":"assistant","content":%[1]s}`, `{"zz":%[1]s}`)},
		{"openai.completions suffix", eventType, true, lines(sseEvent, `{"choices":[{"index":0,"text":%[1]s}]}`, `{"choices":[{"index":0,"text":"","suffix":%[1]s}]}`)},
		{"gemini grounding", eventType, true, gemini(`"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://example.com/a","title":%[1]s}}]}`)},
		{"gemini citation", eventType, true, gemini(`"citationMetadata":{"citations":[{"startIndex":1,"endIndex":2,"uri":"https://example.com/a","title":%[1]s}]}`)},
		{"gemini finish message", eventType, true, gemini(`"finishMessage":%[1]s`)},
		{"bedrock.converse citation", eventStreamType, true, lines(frame, `{"contentBlockIndex":0,"delta":{"text":%[1]s}}`, `{"contentBlockIndex":0,"delta":{"citation":{"title":%[1]s}}}`)},
		{"bedrock.converse cited content", eventStreamType, true, lines(frame, `{"contentBlockIndex":0,"delta":{"text":%[1]s}}`, `{"contentBlockIndex":0,"delta":{"citation":{"sourceContent":[{"text":%[1]s}]}}}`)},
		{"anthropic.messages citation", eventType, true, lines(typedEvent, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":%[1]s}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"type":"web_search_result_location","title":%[1]s}}}`)},
		{"anthropic.messages error", eventType, true, lines(typedEvent, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":%[1]s}}`, `{"type":"error","error":{"type":"api_error","message":%[1]s}}`)},
		{"cohere.chat citation", eventType, true, lines(typedEvent, `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":%[1]s}}}}`,
			`{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":1,"end":2,"text":%[1]s,"sources":[]}}}}`)},
		{"cohere.chat source", eventType, true, lines(typedEvent, `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":%[1]s}}}}`,
			`{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":1,"end":2,"sources":[{"type":"document","id":"d","document":{"snippet":%[1]s}}]}}}}`)},
		{"ollama.chat error", lineType, true, lines(func(p string) string { return p + "\n" }, `{"model":"m","message":{"role":"assistant","content":%[1]s},"done":false}`, `{"error":%[1]s}`)},
	}
}

// checkBeside sends the long record, in pieces of a text and of text beside it, through a
// relay. Fewer words than a window leave, none of an answer in one piece; a clean answer
// stays as it is.
func checkBeside(t *testing.T, s answerShape, pieces []string, split splitter) {
	t.Helper()
	send := func(mode Decision, body string) outcome {
		cfg := longConfig(t, s.config(t, mode))
		if s.stream {
			return split(t, cfg, body)
		}
		o, _ := whole(cfg, body)
		return o
	}
	body := s.body(pieces)
	for _, mode := range []Decision{redacting, blocking} {
		o := send(mode, body)
		if left := leftOfLong(o.out); len(o.findings) == 0 || left >= 10 || !s.stream && left > 0 || mode == blocking && !errors.Is(o.err, ErrBlocked) {
			t.Errorf("%s, %v: %d words left, %v, findings %q\n%s\nof %s", s.name, mode, left, o.err, o.findings, o.out, body)
		}
	}
	if o := send(observing, body); o.out != body || len(o.findings) != len(send(redacting, body).findings) {
		t.Errorf("%s: observe finds %q", s.name, o.findings)
	}
	clean := s.body(cutEvery(strings.Fields("these are words of no record at all which we cut over many places here"), 3))
	for _, mode := range []Decision{redacting, blocking, observing} {
		if o := send(mode, clean); o.out != clean || o.err != nil || len(o.findings) > 0 {
			t.Errorf("%s: %v changes %s\nto %s, findings %q", s.name, mode, clean, o.out, o.findings)
		}
	}
}

// TestTextBesideTheAnswer: a record that is cut over the text of an answer and text beside it
// is found, whether the pieces begin and end with spaces or not.
func TestTextBesideTheAnswer(t *testing.T) {
	t.Parallel()
	for _, s := range besideShapes() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{3, 5, 8, 9} {
				checkBeside(t, s, cutEvery(longRecord, size), atOnce)
			}
			for seed := range uint64(10) {
				checkBeside(t, s, cutWords(rand.New(rand.NewPCG(seed, 97)), longRecord, 9), atOnce)
			}
			checkBeside(t, s, cutEvery(longRecord, 9), tellingSplits)
		})
	}
}

// TestPiecesOfOneText: tokens that cut words are read as one text, at a place of which nobody
// knows whether its values are whole.
func TestPiecesOfOneText(t *testing.T) {
	t.Parallel()
	for _, format := range []string{`{"zz":%s}`, `{"choices":[{"index":0,"delta":{"zz":{"t":%s}}}]}`, `{"error":{"message":%s}}`} {
		var in strings.Builder
		for _, p := range apiPieces(strings.Join(longRecord, " ")) {
			in.WriteString(sseEvent(fmt.Sprintf(format, mustJSON(p))))
		}
		o := everySplit(t, longConfig(t, testConfig(t)), in.String())
		if left := leftOfLong(o.out); left >= 10 || len(o.findings) != 1 {
			t.Errorf("%s: %d words left, findings %q", format, left, o.findings)
		}
	}
}
