package relay

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"noecho/internal/raced"
)

// workShape names the shape and workPieces the number of pieces of the answer that this program relays
// when TestWork runs it.
const (
	workShape  = "NOECHO_WORK_SHAPE"
	workPieces = "NOECHO_WORK_PIECES"
)

// TestWork wants work that grows with the length of an answer and not with its square. The work is the
// number of statements of noecho that are executed, which is the same on every machine. The counters
// are those of go test -cover: the test builds its own program with them, and runs it for each length.
func TestWork(t *testing.T) {
	t.Parallel()
	if name := os.Getenv(workShape); name != "" {
		relayPieces(t, name)
		return
	}
	if testing.Short() || raced.On {
		t.Skip("it starts programs that the race detector does not see: the run without -short, stage test of .ci/run, has it")
	}
	program := filepath.Join(t.TempDir(), "relay.test")
	build := exec.Command("go", "test", "-c", "-covermode=count", "-coverpkg=noecho/detect/...,noecho/ngram/...,noecho/proxy/...", "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const few, times = 500, 16
	for _, s := range workShapes() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			short, long := executed(t, program, s.name, few), executed(t, program, s.name, few*times)
			if long > times*short*5/4 {
				t.Errorf("%d statements for %d pieces, %d for %d", short, few, long, few*times)
			}
			t.Logf("%d statements a piece, then %d", short/few, long/few/times)
		})
	}
}

// workShapes are the shapes of answers, and some with many pieces in one place.
func workShapes() []answerShape {
	chat := `{"choices":[{"index":0,"message":{"role":"assistant","content":%s,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":%s}}]}}]}`
	return append(answerShapes(),
		answerShape{"openai.chat members of a text", jsonType, false, func(pieces []string) string {
			return fmt.Sprintf(chat, "null", mustJSON("{"+strings.Join(inTurn(pieces, `"a":%[1]s`), ",")+"}"))
		}},
		answerShape{"openai.chat elements of a text", jsonType, false, func(pieces []string) string {
			return fmt.Sprintf(chat, "null", mustJSON("["+strings.Join(inTurn(pieces, `%[1]s`, `[%[1]s]`), ",")+"]"))
		}},
		answerShape{"openai.chat lines of a text", jsonType, false, func(pieces []string) string {
			return fmt.Sprintf(chat, mustJSON(strings.Join(pieces, "\n")), `"{}"`)
		}},
		answerShape{"openai.chat numbers and marks of a text", jsonType, false, func(pieces []string) string {
			return fmt.Sprintf(chat, mustJSON(strings.Join(pieces, "@-|4155550100 \u200b")), `"{}"`)
		}},
	)
}

// executed returns how many statements a program executes that relays so many pieces.
func executed(t *testing.T, program, shape string, pieces int) (statements int) {
	t.Helper()
	profile := filepath.Join(t.TempDir(), "profile")
	cmd := exec.Command(program, "-test.run=^TestWork$", "-test.coverprofile="+profile)
	cmd.Env = append(os.Environ(), workShape+"="+shape, workPieces+"="+strconv.Itoa(pieces))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(profile)
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var n, count int
		if _, counts, ok := strings.Cut(lines.Text(), " "); ok { // file:from,to statements count
			if _, err := fmt.Sscan(counts, &n, &count); err == nil {
				statements += n * count
			}
		}
	}
	return statements
}

// relayPieces relays an answer of pieces that are no record, but for the last ones.
func relayPieces(t *testing.T, name string) {
	n, err := strconv.Atoi(os.Getenv(workPieces))
	if err != nil {
		t.Fatal(err)
	}
	var pieces []string
	for i := range n {
		pieces = append(pieces, fmt.Sprintf("w%d of", i))
	}
	pieces = append(pieces, cutEvery(answerRecord, 1)...)
	for _, s := range workShapes() {
		if s.name == name {
			s.relay(t, redacting, atOnce, s.body(pieces))
		}
	}
}
