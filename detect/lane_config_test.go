package detect

import (
	"encoding/base64"
	"strings"
	"testing"

	"noecho/detect/internal/lane"
	"noecho/ngram"
)

// TestLanesFollowTheConfig: settings for the plain lane apply to the others too: no near
// match if none is asked for, no phrase that is too common.
func TestLanesFollowTheConfig(t *testing.T) {
	t.Parallel()
	r := longRecord(0, 60)
	record := strings.Join(r, " ")
	set, ledger := newPlainSet(10, record), newPlainLedger(10, record)
	near := "so " + strings.Join(r[10:19], " ") + " xx " + strings.Join(r[20:29], " ") + " it ends here and now"
	phrases := newPlainPhrases(map[string]ngram.Phrase{"ilse@harbour.example": {Kind: "email", Records: 300}})
	mail := "write to ilse@harbour.example about all of this, and soon"
	places, mails := parts{Set: set, ledger: ledger}, parts{Set: set, phrases: phrases}
	for _, tt := range []struct {
		name, text string
		index      Index
		cfg        Config
		want       int
	}{
		{"near", near, places, Config{}, 1},
		{"near off", near, places, Config{Near: NearRule{Off: true}}, 0},
		{"near, more words", near, places, Config{Near: NearRule{Words: 40}}, 0},
		{"common by default", mail, mails, Config{}, 0},
		{"not so common", mail, mails, Config{PhraseRecords: 300}, 1},
	} {
		for _, text := range []string{tt.text, base64.StdEncoding.EncodeToString([]byte(tt.text))} {
			tt.cfg.Lanes = lane.LanesOf(lane.Base64)
			if _, findings := drive(New(tt.index, spec(10), tt.cfg), "It is: "+text+" , as I said."); len(findings) != tt.want {
				t.Errorf("%s: %d findings in %.20q, want %d", tt.name, len(findings), text, tt.want)
			}
		}
	}
}
