//go:build !windows

package outbox

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"noecho/proxy/alert"
)

// childDir is the variable of the environment that makes TestKillChild the child of a kill
// test: the folder of its spool.
const childDir = "NOECHO_TEST_SPOOL"

// TestKillChild is a process that offers events and prints those that are in its spool. Its
// receiver takes some of them, which it prints too.
func TestKillChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		return // only for the tests below
	}
	p := &peer{most: 1}
	sent := 0
	p.fail = func(_ context.Context, lines []Line) error {
		if sent++; sent%20 == 0 {
			return errDown
		}
		fmt.Printf("sent %s %s", lines[0].ID(), lines[0].Text)
		return nil
	}
	b, err := Open(Options{Name: "test", Peer: p, Append: alert.AppendLine, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	l, err := alert.Open(alert.Options{Sinks: []alert.Sink{b}})
	if err != nil {
		t.Fatal(err)
	}
	l.Offer(alert.Event{Type: alert.TypeStart})
	for i := uint64(1); i <= 10; i++ {
		for range 10 {
			ev := event(1)
			ev.Model = strings.Repeat("m", rand.N(1000))
			l.Offer(ev)
		}
		for {
			s := l.Stats().Sinks[0]
			if s.Lost > 0 {
				t.Fatalf("the spool is full: %+v", s)
			}
			if s.Delivered+s.Spooled >= 10*i+s.Inherited {
				break
			}
			time.Sleep(10 * time.Microsecond)
		}
		fmt.Printf("spooled %s:%d\n", l.Boot(), 10*i)
	}
	select {} // until the kill
}

// TestKills kills a process again and again: every event that was in its spool is delivered,
// always under one id, and each boot has a start and no stop.
func TestKills(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spool")
	delivered := map[string]string{} // texts by id
	take := func(id, text string) {
		if old, ok := delivered[id]; ok && old != text {
			t.Fatalf("event %s was sent as %s and as %s", id, old, text)
		}
		delivered[id] = text
	}
	spooled := map[string]uint64{} // the newest event by boot
	for range kills {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKillChild$")
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		for left := 1 + rand.N(100); left >= 0; left-- {
			if left == 0 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				left = 1 << 30 // until the end of the pipe
			}
			line, err := lines.ReadString('\n')
			if err != nil {
				break
			}
			verb, rest, _ := strings.Cut(line, " ")
			id, text, _ := strings.Cut(strings.TrimSuffix(rest, "\n"), " ")
			switch verb {
			case "sent":
				take(id, text)
			case "spooled":
				boot, seq, _ := strings.Cut(id, ":")
				if spooled[boot], err = strconv.ParseUint(seq, 10, 64); err != nil {
					t.Fatal(err)
				}
			default:
				t.Fatalf("the child says %q", line)
			}
		}
		_ = cmd.Wait()
	}
	s, err := openSpool(dir, DefaultLimit)
	if err != nil {
		t.Fatal(err)
	}
	for {
		lines, err := s.oldest()
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) == 0 {
			break
		}
		for _, l := range lines {
			take(l.ID(), strings.TrimSuffix(string(l.Text), "\n"))
		}
		s.drop(len(lines))
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if len(spooled) == 0 {
		t.Fatal("no child had its events spooled")
	}
	covered := map[string]bool{} // by gap records: the child was faster than the receiver
	for id, text := range delivered {
		var ev alert.Event
		if err := json.Unmarshal([]byte(text), &ev); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		if ev.Type == alert.TypeStop {
			t.Errorf("boot %s has a stop", ev.Boot)
		}
		if ev.Type == alert.TypeGap {
			for seq := ev.First; seq < ev.Seq; seq++ {
				covered[fmt.Sprintf("%s:%d", ev.Boot, seq)] = true
			}
		}
	}
	for boot, last := range spooled {
		for seq := uint64(1); seq <= last; seq++ {
			id := fmt.Sprintf("%s:%d", boot, seq)
			if _, ok := delivered[id]; !ok && !covered[id] {
				t.Errorf("event %d of boot %s, which has %d, was spooled and not delivered", seq, boot, last)
				break
			}
		}
	}
}
