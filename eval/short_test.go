package eval

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noecho/detect"
	"noecho/index"
	"noecho/index/build"
	"noecho/index/corpus"
	"noecho/internal/windowset"
	"noecho/ngram"
)

// Labels and courtesies are the whole text of many training records, and of many honest
// answers too. All are typed here; none has 30 characters or more, or 10 words of
// letters.
var (
	labels = []string{
		"yes", "no", "Yes.", "No.", "positive", "negative", "neutral", "true", "false", "42", "OK",
		"Thank you!", "You're welcome!", "Sure, happy to help.", "I don't know.", "Hello! How can I help you today?",
		"Is there anything else I can help with?", "Have a nice day!", "Merci beaucoup !", "Vielen Dank und bis bald!",
		"¡Muchas gracias por su ayuda!", "Большое спасибо!", "Ευχαριστώ πολύ!", "شكرا جزيلا", "धन्यवाद", "감사합니다",
	}
	courtesies = []string{
		// Japanese
		"ありがとうございます。",
		"お問い合わせありがとうございます。",
		"いつもお世話になっております。",
		"よろしくお願いいたします。",
		"どうぞよろしくお願い申し上げます。",
		"ご迷惑をおかけして申し訳ございません。",
		"誠に申し訳ございませんが、少々お待ちください。",
		"かしこまりました。",
		"ご連絡ありがとうございました。",
		"お忙しいところ恐れ入ります。",
		"何かご不明な点がございましたらお知らせください。",
		"ご不便をおかけしましたことをお詫び申し上げます。",
		"今後ともどうぞよろしくお願いいたします。",
		"またのご利用を心よりお待ち申し上げております。",
		"お手数をおかけしますがよろしくお願いいたします。",
		"いつも弊社の製品をご利用いただき誠に有難うございます。",
		// Chinese
		"谢谢！",
		"不客气。",
		"您好，很高兴为您服务。",
		"非常感谢您的来信。",
		"对不起，给您添麻烦了。",
		"请问还有什么可以帮您的吗？",
		"感谢您的耐心等待，祝您生活愉快。",
		"如有任何问题，请随时与我们联系。",
		"感谢您一直以来对我们工作的支持与信任。",
		"非常抱歉给您带来不便，我们会尽快为您处理。",
		"感謝您的來電，請問有什麼需要協助的嗎？",
		"祝您工作順利，身體健康，萬事如意。",
		// Thai
		"ขอบคุณครับ",
		"ขอบคุณค่ะ",
		"สวัสดีครับ",
		"ยินดีต้อนรับค่ะ",
		"ไม่เป็นไรครับ",
		"ขออภัยในความไม่สะดวก",
		"ขอบคุณที่ติดต่อเรา",
		"ยินดีให้บริการค่ะ",
		"มีอะไรให้ช่วยไหมคะ",
		"ขอบคุณมากสำหรับความช่วยเหลือ",
		"กรุณารอสักครู่นะคะ",
		"หวังว่าจะได้รับใช้ท่านอีก",
	}
)

// long is a record that has windows, and the control of the test: if it is repeated, it
// is found.
const long = "The order for Mrs Ellen Ravenscroft left the depot at Penrith on a rainy Tuesday, two crates short."

// chat returns conversational text that uses every sentence: some alone in a line, some
// within others, in another order than they were indexed.
func chat(sentences []string) string {
	var b strings.Builder
	for i := len(sentences) - 1; i >= 0; i-- {
		s := sentences[i]
		fmt.Fprintf(&b, "User: please answer question %d\nAssistant: %s\n", i, s)
		fmt.Fprintf(&b, "%s%s Mr Tanaka (%d).\n", s, sentences[i*7%len(sentences)], i*i)
	}
	return b.String()
}

// shortIndex builds an index of one chat record for each sentence.
func shortIndex(t *testing.T, sentences []string) *index.Index {
	t.Helper()
	var rows []byte
	for i, s := range sentences {
		type message struct {
			Role    string `json:"role"`
			Content string `json:"content"`
		}
		row, err := json.Marshal(map[string]any{"messages": []message{
			{"user", fmt.Sprintf("question %d", i)}, {"assistant", s},
		}})
		if err != nil {
			t.Fatal(err)
		}
		rows = append(append(rows, row...), '\n')
	}
	folder := t.TempDir()
	train, out := filepath.Join(folder, "train.jsonl"), filepath.Join(folder, "short.nidx")
	if err := os.WriteFile(train, rows, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := build.Build(context.Background(), build.Options{
		Out: out, Inputs: []string{train}, Corpus: corpus.Options{Format: corpus.OpenAI}, Workers: 1,
	}); err != nil {
		t.Fatal(err)
	}
	ix, err := index.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ix.Close() })
	return ix
}

// find looks for runs of windows in a text that comes in pieces of that many bytes.
func find(ix *index.Index, cfg detect.Config, text string, piece int) []*detect.Finding {
	return findings(detect.New(windowset.Index{Set: ix}, ix.Spec(), cfg), text, piece)
}

// findEverything looks for everything that the product finds unless it is told
// otherwise.
func findEverything(ix *index.Index, cfg detect.Config, text string, piece int) []*detect.Finding {
	cfg.Lanes = detect.AllLanes
	return findings(detect.New(ix, ix.Spec(), cfg), text, piece)
}

func findings(d *detect.Detector, text string, piece int) []*detect.Finding {
	var segs []detect.Segment
	for len(text) > 0 {
		n := min(piece, len(text))
		segs = d.Append(segs, []byte(text[:n]))
		text = text[n:]
	}
	d.Finish(segs)
	return d.Closed(nil)
}

func weigh(ix *index.Index, text string) (w ngram.Weight) {
	s := ngram.NewScanner(ix.Spec().Suite)
	for _, word := range s.Finish(s.Append(nil, []byte(text))) {
		w += word.Weight
	}
	return w
}

func TestShortRecordsRedactNothing(t *testing.T) {
	t.Parallel()
	all := append(append([]string{}, labels...), courtesies...)
	ix := shortIndex(t, append(append([]string{}, all...), long))
	for _, s := range all {
		if w := weigh(ix, s); w >= 10*ngram.WordWeight {
			t.Errorf("%q weighs %d thirds of a word; this list is for lighter ones", s, w)
		}
	}
	text := chat(all)
	for name, find := range map[string]func(*index.Index, detect.Config, string, int) []*detect.Finding{"runs": find, "everything": findEverything} {
		cfg := detect.Config{}
		for _, release := range []detect.Release{detect.Adaptive, detect.Strict} {
			cfg.Release = release
			for _, piece := range []int{1, 4, 64, len(text)} {
				for _, f := range find(ix, cfg, text, piece) {
					t.Errorf("%s, release %d, pieces of %d bytes: found %q", name, release, piece, text[f.Span.Lo:f.Span.Hi])
				}
			}
		}
		if found := find(ix, cfg, text+long, 4); len(found) != 1 {
			t.Errorf("%s, control: %d findings in a text that repeats a long record, want 1", name, len(found))
		}
	}
}

// The limit is exact: 30 characters weigh as much as 10 words.
func TestThirtyCharactersAreALeak(t *testing.T) {
	t.Parallel()
	const (
		below = "本日は誠に勝手ながら都合により午後三時で閉店いたしました候"   // 29
		above = "明日は誠に勝手ながら都合により午後九時に開店いたします予定です" // 31
	)
	ix := shortIndex(t, []string{below, above})
	if w := weigh(ix, below); w != 29 {
		t.Fatalf("the shorter sentence weighs %d thirds, want 29", w)
	}
	if found := findEverything(ix, detect.Config{}, "はい。"+below+"とのことです", 3); len(found) != 0 {
		t.Errorf("29 characters: %d findings, want none", len(found))
	}
	if found := find(ix, detect.Config{}, "はい。"+above+"とのことです", 3); len(found) != 1 {
		t.Errorf("31 characters: %d findings, want 1", len(found))
	}
}
