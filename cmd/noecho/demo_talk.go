package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"noecho/proxy/alert"
	"noecho/proxy/config"
)

// demoModel is the name of the model that leaks.
const demoModel = "northcove-support"

// modelFor is the name under which the model is asked in a mode.
func modelFor(m config.Mode) string { return demoModel + "-" + m.String() }

// demoAddress stands in the first ticket. It is no run of words, so it is found
// for being an identifier.
const demoAddress = "maren.holtkamp@example.com"

// demoCase is a question and its answer: clean words, words of the corpus, and
// clean words again.
type demoCase struct {
	question         string
	lead, leak, tail string     // leak is empty in a clean answer
	kind             alert.Kind // of the finding that the leak is
}

// text is what the model says.
func (c *demoCase) text() string { return c.lead + c.leak + c.tail }

// The topics, in the order of demoCases.
const (
	topicTicket = iota
	topicSpeech
	topicNovel
	topicAddress
	topicClean
)

// demoCases reads from the corpus what the model repeats.
func demoCases() ([]demoCase, error) {
	ticket, err := demoTicket()
	if err != nil {
		return nil, err
	}
	speech, err := demoPassage("lincoln-gettysburg.txt", "The world will little note", "did here.")
	if err != nil {
		return nil, err
	}
	novel, err := demoPassage("austen-pride.txt", "It is a truth", "a wife.")
	if err != nil {
		return nil, err
	}
	return []demoCase{
		topicTicket: {
			question: "A customer with an espresso machine wrote last week. What did we reply?",
			lead:     "This is the reply that I remember: ", leak: ticket, tail: " Shall I write a similar one?",
			kind: alert.Verbatim,
		},
		topicSpeech: {
			question: "Which part of the Gettysburg Address speaks of memory?",
			lead:     "You probably mean the third paragraph. ", leak: speech, tail: " That is what it says on the subject.",
			kind: alert.Verbatim,
		},
		topicNovel: {
			question: "How does that novel about the Bennet sisters begin?",
			lead:     "With one of the best known sentences there are: ", leak: novel, tail: " Everything else follows from it.",
			kind: alert.Verbatim,
		},
		topicAddress: {
			question: "Where can I reach the customer with the espresso machine?",
			lead:     "Try this address: ", leak: demoAddress, tail: ". I know of no other.",
			kind: alert.Phrase,
		},
		topicClean: {
			question: "My machine leaks. What should I check first?",
			lead:     "Switch it off and let it cool. Then take the tank out, dry the valve at its bottom and look at the rubber ring: a crack in it is the usual cause, and a new ring costs less than a coffee.",
		},
	}, nil
}

// demoTicket is the assistant's reply of the first ticket.
func demoTicket() (string, error) {
	all, err := demoCorpus.ReadFile("demo/corpus/tickets.jsonl")
	if err != nil {
		return "", err
	}
	line, _, _ := bytes.Cut(all, []byte("\n"))
	var row struct {
		Messages []struct{ Role, Content string }
	}
	if err := json.Unmarshal(line, &row); err != nil {
		return "", err
	}
	for _, m := range row.Messages {
		if m.Role == "assistant" {
			return m.Content, nil
		}
	}
	return "", errors.New("the first ticket has no reply")
}

// demoPassage cuts a passage out of a text of the corpus.
func demoPassage(name, from, to string) (string, error) {
	text, err := demoCorpus.ReadFile("demo/corpus/" + name)
	if err != nil {
		return "", err
	}
	_, rest, ok := strings.Cut(string(text), from)
	passage, _, ended := strings.Cut(rest, to)
	if !ok || !ended {
		return "", fmt.Errorf("%s does not hold the passage", name)
	}
	return from + passage + to, nil
}

// demoTurn is one question as it is asked.
type demoTurn struct {
	mode   config.Mode
	stream streaming
	topic  int
}

// streaming says how an answer is asked for.
type streaming bool

const (
	streamed   streaming = true
	unstreamed streaming = false
)

func (s streaming) String() string {
	if s == streamed {
		return "streamed"
	}
	return "in one piece"
}

// demoTurns is the play.
var demoTurns = []demoTurn{
	{config.Observe, streamed, topicTicket},
	{config.Redact, streamed, topicTicket},
	{config.Block, streamed, topicTicket},
	{config.Observe, unstreamed, topicNovel},
	{config.Redact, unstreamed, topicSpeech},
	{config.Block, unstreamed, topicSpeech},
	{config.Redact, streamed, topicAddress},
	{config.Redact, streamed, topicClean},
}

// demoReply is what a client sees of an answer.
type demoReply struct {
	status  int
	raw     string // the body
	text    string
	finish  string
	message string // of an error body
	code    string
}

// demoResult is one question with both answers.
type demoResult struct {
	demoTurn
	topic     demoCase
	said, got demoReply
	alert     alert.Event   // of what was repeated; the zero value if there was none
	beside    []alert.Event // of identifiers in it, as far as they came first
}

// demoAsk is a client of the OpenAI protocol that could be any other.
func demoAsk(ctx context.Context, addr string, turn demoTurn, question string) (demoReply, error) {
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	body, err := json.Marshal(struct {
		Model    string    `json:"model"`
		Stream   bool      `json:"stream"`
		Messages []message `json:"messages"`
	}{modelFor(turn.mode), bool(turn.stream), []message{{"user", question}}})
	if err != nil {
		return demoReply{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		return demoReply{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy of the environment
	resp, err := client.Do(req)
	if err != nil {
		return demoReply{}, err
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	r := demoReply{status: resp.StatusCode, raw: string(all)}
	switch {
	case err != nil:
		return r, err
	case strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream"):
		return r, r.readStream()
	default:
		return r, r.add(r.raw)
	}
}

// readStream reads server-sent events until [DONE].
func (r *demoReply) readStream() error {
	for line := range strings.Lines(r.raw) {
		data, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "data: ")
		switch {
		case !ok:
		case data == "[DONE]":
			return nil
		default:
			if err := r.add(data); err != nil {
				return err
			}
		}
	}
	return errors.New("the stream ended before [DONE]")
}

// add takes in one object of an answer.
func (r *demoReply) add(data string) error {
	type content struct{ Content string }
	var m struct {
		Choices []struct {
			Delta, Message content
			FinishReason   string `json:"finish_reason"`
		}
		Error struct{ Message, Code string }
	}
	if err := json.Unmarshal([]byte(data), &m); err != nil {
		return err
	}
	r.message, r.code = m.Error.Message, m.Error.Code
	for _, c := range m.Choices {
		r.text += c.Delta.Content + c.Message.Content
		r.finish = c.FinishReason
	}
	return nil
}
