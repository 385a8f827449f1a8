package receiver

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"noecho/internal/outbox"
)

// The headers of a request to a webhook.
const (
	idHeader        = "idempotency-key"
	signatureHeader = "x-noecho-signature-256"
)

// Webhook posts each line as the body of a request of its own.
type Webhook struct{ poster }

// NewWebhook returns a webhook. dial opens connections for tests; nil is the network.
func NewWebhook(load Load, dial Dial) (*Webhook, error) {
	w := &Webhook{poster{load: load, dial: dial, header: map[string]string{"content-type": "application/json"}}}
	return w, w.open()
}

// Send implements [outbox.Peer]. It sends one line.
func (w *Webhook) Send(ctx context.Context, lines []outbox.Line) (int, error) {
	header := map[string]string{idHeader: lines[0].ID()}
	if len(w.access.Key) > 0 {
		header[signatureHeader] = signature(w.access.Key, lines[0].Text)
	}
	if _, err := w.send(ctx, lines[0].Text, header); err != nil {
		return 0, err
	}
	return 1, nil
}

// signature returns the HMAC of a body with SHA-256, as GitHub writes it.
func signature(key, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

var _ outbox.Peer = (*Webhook)(nil)
