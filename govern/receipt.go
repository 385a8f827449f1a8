package govern

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A receipt shows that a request was dealt with, without a word about whom it was made by. It
// is an in-toto Statement v1 in a DSSE envelope, which other programs verify. The statement is
// about commitments c, one for each identifier of the request:
//
//	c = HMAC-SHA256(salt, law 00 kind 00 kind of identifier 00 identifier)
//
// law and kind are those of the request; an identifier is written in its canonical form. The
// salt has 32 random bytes. The audit log has c, and the receipt has the salt: nobody can test
// names against the log, and the person who has the receipt can show that it is theirs.

// The types of a receipt.
const (
	PayloadType   = "application/vnd.in-toto+json"
	statementType = "https://in-toto.io/Statement/v1"
	PredicateType = "urn:noecho:erasure-receipt:v1"
)

// NewSalt returns a new salt.
func NewSalt() []byte {
	salt := make([]byte, sha256.Size)
	_, _ = rand.Read(salt) // never fails
	return salt
}

// Commitment returns the commitment to an identifier of a request, in hex.
func Commitment(salt []byte, law, kind, itemKind, item string) string {
	mac := hmac.New(sha256.New, salt)
	fmt.Fprintf(mac, "%s\x00%s\x00%s\x00%s", law, kind, itemKind, item)
	return hex.EncodeToString(mac.Sum(nil))
}

// The states of a check.
const (
	Shown    = "shown"
	NotShown = "not shown"
	NotAsked = "not asked for"
)

// Check is one thing that a purge has to show.
type Check struct {
	ID    string `json:"id"` // P1 to P6
	Asks  string `json:"asks"`
	State string `json:"state"`
	Found string `json:"found"`
}

// AllShown reports whether nothing that was asked for is left to be shown.
func AllShown(checks []Check) bool {
	return !slices.ContainsFunc(checks, func(c Check) bool { return c.State == NotShown })
}

// Receipt is the predicate of a receipt: all that it states.
type Receipt struct {
	Request     string    `json:"request"` // ULID
	Law         string    `json:"law"`
	Kind        string    `json:"kind"`
	Received    Date      `json:"received"`
	Purged      time.Time `json:"purged"`
	Index       string    `json:"index"` // build id of the index of the new model
	Model       string    `json:"model"` // digest of the new model
	Checks      []Check   `json:"checks"`
	NotShown    []string  `json:"not_shown"`
	Salt        string    `json:"salt"` // hex
	Commitments []string  `json:"commitments"`
	Log         string    `json:"log"`   // name of the audit log
	Entry       int64     `json:"entry"` // its number
	Proof       string    `json:"proof"` // that the log has the entry (C2SP tlog-proof)
}

// Has reports whether the receipt commits to an identifier.
func (r *Receipt) Has(itemKind, item string) bool {
	salt, err := hex.DecodeString(r.Salt)
	return err == nil && slices.Contains(r.Commitments, Commitment(salt, r.Law, r.Kind, itemKind, item))
}

// statement is an in-toto Statement.
type statement struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     *Receipt  `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// Envelope is a DSSE envelope.
type Envelope struct {
	Payload     []byte      `json:"payload"`
	PayloadType string      `json:"payloadType"`
	Signatures  []Signature `json:"signatures"`
}

// Signature is a signature of an envelope.
type Signature struct {
	KeyID string `json:"keyid"`
	Sig   []byte `json:"sig"`
}

// pae returns the text that is signed: type and payload, each with its length before it.
func (e *Envelope) pae() []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(e.PayloadType), e.PayloadType, len(e.Payload), e.Payload)
}

// Seal signs a receipt, and returns the text of its envelope.
func (r *Receipt) Seal(keyID string, sign func(text []byte) ([]byte, error)) ([]byte, error) {
	s := statement{Type: statementType, PredicateType: PredicateType, Predicate: r}
	for i, c := range r.Commitments {
		s.Subject = append(s.Subject, subject{fmt.Sprintf("request %s, commitment %d", r.Request, i+1), map[string]string{"sha256": c}})
	}
	e := Envelope{PayloadType: PayloadType}
	var err error
	if e.Payload, err = json.Marshal(s); err != nil {
		return nil, fmt.Errorf("write the receipt: %w", err)
	}
	sig, err := sign(e.pae())
	if err != nil {
		return nil, fmt.Errorf("sign the receipt: %w", err)
	}
	e.Signatures = []Signature{{keyID, sig}}
	text, err := json.Marshal(e)
	return append(text, '\n'), err
}

// ErrReceipt matches the error of a receipt that is not as it was signed.
var ErrReceipt = errors.New("the receipt is not as it was signed")

// OpenReceipt checks the signature of a receipt and reads it.
func OpenReceipt(text []byte, verify func(text, sig []byte) bool) (*Receipt, error) {
	var e Envelope
	if err := json.Unmarshal(text, &e); err != nil || len(e.Signatures) == 0 {
		return nil, fmt.Errorf("%w: it is no envelope of DSSE", ErrReceipt)
	}
	if !slices.ContainsFunc(e.Signatures, func(s Signature) bool { return verify(e.pae(), s.Sig) }) {
		return nil, fmt.Errorf("%w: no signature is one of this key", ErrReceipt)
	}
	var s statement
	d := json.NewDecoder(bytes.NewReader(e.Payload))
	if err := d.Decode(&s); err != nil || e.PayloadType != PayloadType || s.Type != statementType || s.PredicateType != PredicateType || s.Predicate == nil {
		return nil, errors.New("the receipt is of a version that is not read here")
	}
	return s.Predicate, nil
}
