package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"noecho/audit"
	"noecho/index"
	"noecho/proxy/alert"
)

// auditPatience bounds the time that a command waits for another process that writes the
// same audit log.
const auditPatience = 10 * time.Second

// newAuditCommand returns the parent of the commands for the audit log.
func newAuditCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Keep and check a signed log of builds, starts and alerts",
		Long: `The audit log records which index was built, signed and served when, and a digest of
the alerts of each hour. It is a folder. Each entry changes a number that stands for
the whole log, and the log signs that number: the checkpoint. Who kept an old
checkpoint can tell whether the log was cut or rewritten since, so send one to somebody
outside from time to time, or let a witness sign it.

An entry has only counts, digests and ids, so that no personal data gets into a log
that nothing can be removed from. The folder has the layout of C2SP tlog-tiles, which
other programs read and verify too.`,
		Example: `  noecho audit init audit --name example.com/noecho
  noecho index build --audit audit --out support.nidx tickets/
  noecho audit verify audit`,
		Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAuditAppendCommand(a), newAuditCheckpointCommand(a), newAuditCollectCommand(a), newAuditCosignCommand(a), newAuditInitCommand(a),
		newAuditProveCommand(a), newAuditShowCommand(a), newAuditVerifyCommand(a))
	return cmd
}

// auditError sets the exit code of an error of package audit.
func auditError(err error) error {
	if errors.Is(err, audit.ErrDamaged) {
		return &exitError{Code: exitIntegrity, Err: err}
	}
	return err
}

// auditKey is the flag for the file of a log's secret key.
type auditKey struct{ path string }

func (k *auditKey) add(cmd *cobra.Command, flag string) {
	cmd.Flags().StringVar(&k.path, flag, "", "`FILE` with the secret key of the log (NOECHO_AUDIT_KEY_FILE; default: the name of the folder and .key)")
}

// file returns the path of the key of the log in a folder.
func (k *auditKey) file(a *app, dir string) string {
	if k.path != "" {
		return k.path
	}
	if path := a.getenv("NOECHO_AUDIT_KEY_FILE"); path != "" {
		return path
	}
	return filepath.Clean(dir) + ".key"
}

// openAudit opens a log for writing.
func openAudit(ctx context.Context, dir, keyFile string) (*audit.Log, error) {
	signer, err := audit.ReadKey(keyFile)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, auditPatience)
	defer cancel()
	log, err := audit.Open(ctx, dir, signer)
	return log, auditError(err)
}

// appendAudit appends entries to the log in a folder.
func appendAudit(ctx context.Context, dir, keyFile string, entries ...audit.Entry) error {
	log, err := openAudit(ctx, dir, keyFile)
	if err != nil {
		return err
	}
	return auditError(errors.Join(log.Append(entries...), log.Close()))
}

// auditTarget are the flags of a command that writes to an audit log if one is named.
type auditTarget struct {
	dir string
	key auditKey
}

func (t *auditTarget) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.dir, "audit", "", "`DIR` of the audit log that gets an entry about the result (NOECHO_AUDIT)")
	t.key.add(cmd, "audit-key-file")
}

// ready checks that the log can be written, before work that may take hours begins. Without
// a log it does nothing.
func (t *auditTarget) ready(ctx context.Context, a *app) error {
	if t.dir = cmp.Or(t.dir, a.getenv("NOECHO_AUDIT")); t.dir == "" {
		return nil
	}
	log, err := openAudit(ctx, t.dir, t.key.file(a, t.dir))
	if err != nil {
		return err
	}
	return log.Close()
}

// write adds the entries about finished work. Without a log it does nothing.
func (t *auditTarget) write(ctx context.Context, a *app, entries ...audit.Entry) error {
	if t.dir == "" {
		return nil
	}
	for i := range entries {
		entries[i].Time, entries[i].Version = time.Now(), versionForAudit(readBuildInfo().Version)
	}
	if err := appendAudit(ctx, t.dir, t.key.file(a, t.dir), entries...); err != nil {
		return fmt.Errorf("the file was written, and the audit log has no entry about it: %w", err)
	}
	return nil
}

// indexEntry returns the entry about a new index.
func indexEntry(kind string, info *index.Info, m *index.Manifest) audit.Entry {
	return audit.Entry{
		Type:    kind,
		Counts:  map[string]uint64{"records": info.Records, "words": info.Words, "windows": info.Distinct, "bytes": info.Bytes, "merged": uint64(len(m.Merged))},
		Digests: map[string]string{"build": info.BuildID, "corpus": m.CorpusDigest},
	}
}

func newAuditInitCommand(a *app) *cobra.Command {
	var name string
	var key auditKey
	cmd := &cobra.Command{
		Use:   "init DIR --name NAME",
		Short: "Make an empty audit log and its key",
		Long: `Make the folder DIR with an empty audit log, and a new secret key in a file beside it.

NAME is the name of the log, for ever. It should be one that nobody else uses, such as
a host name of yours and a path. The command prints the public key. Give it to those who
will verify the log; the secret key stays on this machine. Who has the secret key can
sign another log in the name of this one.`,
		Example: "  noecho audit init /var/lib/noecho/audit --name example.com/noecho",
		Args:    exactArgs(1, "one folder"),
		RunE: func(_ *cobra.Command, args []string) error {
			if name == "" {
				return usageError("name the log with --name, such as --name example.com/noecho")
			}
			return initAudit(a.stdout, args[0], key.file(a, args[0]), name)
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "`NAME` of the log, such as example.com/noecho (required)")
	key.add(cmd, "key-file")
	return cmd
}

// initAudit makes a log. It writes the key first, and never over another file.
func initAudit(w io.Writer, dir, keyFile, name string) error {
	secret, public, err := audit.NewKey(name)
	if err != nil {
		return usageError("%w", err)
	}
	f, err := os.OpenFile(keyFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write the key of the audit log: %w", err)
	}
	_, err = f.WriteString(secret + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		var signer note.Signer
		if signer, err = audit.ReadKey(keyFile); err == nil {
			err = audit.Create(dir, signer, public)
		}
	}
	if err != nil {
		return errors.Join(err, os.Remove(keyFile))
	}
	_, err = fmt.Fprintf(w, "audit log: %s\nsecret key: %s\npublic key: %s\n", dir, keyFile, public)
	return err
}

func newAuditAppendCommand(a *app) *cobra.Command {
	var key auditKey
	var counts, digests, ids, stateWords []string
	cmd := &cobra.Command{
		Use:   "append DIR TYPE [--count NAME=N]... [--digest NAME=HEX]... [--id NAME=ULID]...",
		Short: "Add an entry to an audit log",
		Long: `Add an entry to the audit log in DIR, for events outside of noecho such as deploy,
retire or key.rotated. When the command ends with exit code 0, the entry is on disk.

TYPE is a word or two, such as model.bound. An entry takes numbers, digests and ids. It
takes no other text, because nothing can be removed from the log: write names and
reasons down elsewhere, and add the SHA-256 of that file.`,
		Example: "  noecho audit append audit deploy --digest model=$(sha256sum model.safetensors | cut -c1-64) --digest build=9f2c…",
		Args:    exactArgs(2, "the folder of the log and the type of the entry"),
		RunE: func(cmd *cobra.Command, args []string) error {
			e := audit.Entry{Type: args[1], Time: time.Now(), Version: versionForAudit(readBuildInfo().Version), Counts: map[string]uint64{}}
			for _, pair := range counts {
				name, value, _ := strings.Cut(pair, "=")
				n, err := strconv.ParseUint(value, 10, 64)
				if err != nil {
					return usageError("--count %q: write NAME=N", pair)
				}
				e.Counts[name] = n
			}
			e.Digests, e.IDs, e.States = pairs(digests), pairs(ids), pairs(stateWords)
			if _, err := e.Encode(); err != nil {
				return usageError("%w", err)
			}
			return appendAudit(cmd.Context(), args[0], key.file(a, args[0]), e)
		},
	}
	cmd.Flags().StringArrayVar(&counts, "count", nil, "a number, as `NAME=N`; may be repeated")
	cmd.Flags().StringArrayVar(&digests, "digest", nil, "a digest, as `NAME=HEX`; may be repeated")
	cmd.Flags().StringArrayVar(&ids, "id", nil, "an id, as `NAME=ULID`; may be repeated")
	cmd.Flags().StringArrayVar(&stateWords, "state", nil, "one of a few words, as `NAME=WORD`, such as mode=redact; may be repeated")
	key.add(cmd, "key-file")
	return cmd
}

// pairs splits values of the form NAME=VALUE.
func pairs(list []string) map[string]string {
	out := map[string]string{}
	for _, pair := range list {
		name, value, _ := strings.Cut(pair, "=")
		out[name] = value
	}
	return out
}

// versionForAudit returns a version of noecho in the characters that an entry takes.
func versionForAudit(version string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune(".+-", r) {
			return r
		}
		return '-'
	}, version[:min(64, len(version))])
}

func newAuditCheckpointCommand(a *app) *cobra.Command {
	var out outputFormat
	cmd := &cobra.Command{
		Use:   "checkpoint DIR",
		Short: "Print the checkpoint of an audit log, to send to an outsider",
		Long: `Print the checkpoint of the audit log in DIR: the name of the log, its number of
entries, a hash over all of them, and signatures. Send it to somebody who keeps it, for
example by mail. With audit verify --since they can tell later whether the log still has
every entry that it had today. --html makes a page of it to print and to file.`,
		Example: "  noecho audit checkpoint audit | mail -s 'audit log' auditor@example.com",
		Args:    exactArgs(1, "one audit log"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			text, err := audit.ReadCheckpoint(args[0])
			if err != nil {
				return fmt.Errorf("read the audit log: %w", err)
			}
			if out.name == plainFormat {
				_, err = a.stdout.Write(text)
				return err
			}
			s := newSignedText(text)
			return out.write(a.stdout, s, s.document("Checkpoint of an audit log"))
		},
	}
	out.add(cmd)
	return cmd
}

func newAuditShowCommand(a *app) *cobra.Command {
	var out outputFormat
	cmd := &cobra.Command{
		Use:   "show DIR",
		Short: "Print the entries of an audit log",
		Long: `Print the entries of the audit log in DIR, one a line: its number, from 0 on, and its
JSON. The log is verified first, as audit verify does without --key. --html makes a page
to print, --csv a table.`,
		Example: "  noecho audit show audit | grep index.built\n  noecho audit show audit --html >entries.html",
		Args:    exactArgs(1, "one audit log"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			return showAudit(a.stdout, args[0], &out)
		},
	}
	out.add(cmd)
	return cmd
}

// showAudit verifies a log and prints its entries.
func showAudit(w io.Writer, dir string, out *outputFormat) error {
	var lines bytes.Buffer
	entries := []shownEntry{}
	r, err := audit.Verify(dir, audit.VerifyOptions{Entry: func(number int64, record []byte) error {
		if out.name == plainFormat {
			_, err := fmt.Fprintf(&lines, "%d %s\n", number, record)
			return err
		}
		e, err := audit.Decode(record)
		entries = append(entries, shownEntry{number, e})
		return err
	}})
	if err != nil {
		return auditError(err)
	}
	if len(r.Problems) > 0 {
		return &exitError{Code: exitIntegrity, Err: errors.New(strings.Join(r.Problems, "\n"))}
	}
	if out.name == plainFormat {
		_, err = lines.WriteTo(w)
		return err
	}
	return out.write(w, struct {
		Log     string       `json:"log"`
		Entries []shownEntry `json:"entries"`
	}{r.Origin, entries}, entriesDocument(r, entries))
}

func newAuditProveCommand(a *app) *cobra.Command {
	var path string
	var out outputFormat
	cmd := &cobra.Command{
		Use:   "prove DIR NUMBER",
		Short: "Write the proof that an audit log has an entry",
		Long: `Write the proof that the audit log in DIR has the entry of this NUMBER, counted from 0 as
audit show does. The proof is one text file (C2SP tlog-proof). It contains the entry and
the signed checkpoint, so that audit verify and other programs can check it without the
log and without the other entries. --html makes a page of it to print and to hand over.`,
		Example: "  noecho audit prove audit 17 --out erasure.tlog-proof\n  noecho audit verify erasure.tlog-proof --key example.com/noecho+…",
		Args:    exactArgs(2, "the folder of the log and the number of the entry"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			number, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil {
				return usageError("%q is not the number of an entry: audit show prints them", args[1])
			}
			p, err := audit.Prove(args[0], number)
			if err != nil {
				return auditError(err)
			}
			text := bytes.NewBuffer(p.Format())
			if out.name != plainFormat {
				s := newSignedText(p.Checkpoint)
				s.Entry, s.Text = string(p.Entry), text.String()
				text.Reset()
				if err := out.write(text, s, s.document(fmt.Sprintf("Proof of entry %d of an audit log", number))); err != nil {
					return err
				}
			}
			if path != "" {
				return os.WriteFile(path, text.Bytes(), 0o644)
			}
			_, err = text.WriteTo(a.stdout)
			return err
		},
	}
	cmd.Flags().StringVar(&path, "out", "", "`FILE` to write, usually with the ending .tlog-proof (default: the standard output)")
	out.add(cmd)
	return cmd
}

func newAuditCosignCommand(a *app) *cobra.Command {
	var url, vkey string
	var key auditKey
	cmd := &cobra.Command{
		Use:   "cosign DIR --url URL --witness KEY",
		Short: "Let a witness sign the checkpoint of an audit log",
		Long: `Ask a witness to sign the checkpoint of the audit log in DIR (C2SP tlog-witness), and
write the signature into the checkpoint. A witness is a server of somebody else. It signs
only if the log still has every entry that the witness has seen, and it adds the time. It
learns the name of the log, the number of entries and hashes, and no entry. Ask its
operator to accept the public key of your log first.

If the witness refuses, the log was cut or has two versions.`,
		Example: "  noecho audit cosign audit --url https://witness.example/w1 --witness witness.example/w1+7f0e…",
		Args:    exactArgs(1, "one audit log"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if url == "" || vkey == "" {
				return usageError("name the address of the witness with --url and its public key with --witness")
			}
			log, err := openAudit(cmd.Context(), args[0], key.file(a, args[0]))
			if err != nil {
				return err
			}
			sig, err := cosign(cmd.Context(), log, url, vkey)
			if err = errors.Join(err, log.Close()); err != nil {
				return auditError(err)
			}
			at, err := audit.CosignedAt(sig)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.stdout, "%s signed %d entries at %s\n", sig.Name, log.Size(), at.Format(time.RFC3339))
			return err
		},
	}
	cmd.Flags().StringVar(&url, "url", "", "`URL` of the witness, to which /add-checkpoint is added (required)")
	cmd.Flags().StringVar(&vkey, "witness", "", "public `KEY` of the witness, an Ed25519 key (required)")
	key.add(cmd, "key-file")
	return cmd
}

// cosign asks a witness for its signature: first as if it knew the log at its present size,
// then at the size that it names.
func cosign(ctx context.Context, log *audit.Log, url, vkey string) (sig note.Signature, err error) {
	status, answer := http.StatusConflict, fmt.Appendf(nil, "%d", log.Size())
	for tries := 0; status == http.StatusConflict && tries < 3; tries++ {
		old, err := strconv.ParseInt(strings.TrimSpace(string(answer)), 10, 64)
		if err != nil || old < 0 {
			return sig, errors.New("the witness knows the log at another size and does not say which")
		}
		body, err := log.Request(old)
		if err != nil {
			return sig, err
		}
		if status, answer, err = post(ctx, strings.TrimSuffix(url, "/")+"/add-checkpoint", body); err != nil {
			return sig, err
		}
	}
	switch status {
	case http.StatusOK:
		return log.AddSignature(vkey, answer)
	case http.StatusUnprocessableEntity:
		return sig, &exitError{Code: exitIntegrity, Err: errors.New("the witness refused: it has signed another version of this log")}
	case http.StatusNotFound, http.StatusForbidden:
		return sig, fmt.Errorf("the witness refused with status %d: ask its operator to accept the name and public key of this log", status)
	default:
		return sig, fmt.Errorf("the witness refused with status %d", status)
	}
}

// post sends one request and reads a short answer.
func post(ctx context.Context, url string, body []byte) (status int, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, usageError("--url: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("ask the witness: %w", err)
	}
	answer, err = io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, answer, errors.Join(err, resp.Body.Close())
}

const auditVerifyHelp = `Check every byte of the audit log in DIR: that the checkpoint is signed, and that the
entries and hashes are those of the checkpoint. Or check a PROOF that audit prove wrote.
If a byte was changed, the exit code is 4 and each problem names the file.

--key is the public key of the log. Take it from where you wrote it down when the log was
made: without --key the one in the folder is used, which somebody who rewrote the log may
have replaced too.

--since takes a checkpoint that you kept. If the log was cut or rewritten since, the exit
code is 4. Without --since and --witness, a log whose last entries were cut off together
with their checkpoint looks like an older log.

--witness takes the public key of a witness that must have signed the checkpoint.

--alerts compares an alert file with the digests of its lines in the log. If lines were
changed, moved or are missing, the exit code is 4. Rotated files that were deleted do not
count as missing, and lines behind the newest digest are not covered yet.`

// auditVerify contains the flags of audit verify.
type auditVerify struct {
	key       string
	witnesses []string
	since     string
	alerts    alertFiles
	out       outputFormat
}

func newAuditVerifyCommand(a *app) *cobra.Command {
	v := new(auditVerify)
	cmd := &cobra.Command{
		Use:     "verify DIR|PROOF [--key KEY] [--witness KEY]... [--since FILE] [--alerts FILE]...",
		Short:   "Check that an audit log was not changed or cut",
		Long:    auditVerifyHelp,
		Example: "  noecho audit verify audit --key example.com/noecho+… --since checkpoint-of-may.txt\n  noecho audit verify erasure.tlog-proof --key example.com/noecho+…",
		Args:    exactArgs(1, "one audit log, or one proof"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := v.out.check(); err != nil {
				return err
			}
			if st, err := os.Stat(args[0]); err == nil && st.Mode().IsRegular() {
				return v.proof(a.stdout, args[0])
			}
			return v.log(a.stdout, args[0])
		},
	}
	cmd.Flags().StringVar(&v.key, "key", "", "public `KEY` of the log, or a file that contains it (default: the one in DIR)")
	cmd.Flags().StringArrayVar(&v.witnesses, "witness", nil, "public `KEY` of a witness that must have signed; may be repeated")
	cmd.Flags().StringVar(&v.since, "since", "", "`FILE` with an older checkpoint, from which the log must have grown")
	v.alerts.add(cmd)
	v.out.add(cmd)
	return cmd
}

// publicKey returns the public key that --key names.
func (v *auditVerify) publicKey() (string, error) {
	if v.key == "" || strings.Contains(v.key, "+") {
		return v.key, nil
	}
	text, err := os.ReadFile(v.key)
	return string(text), err
}

// auditResult is the output of audit verify with --json.
type auditResult struct {
	*audit.Report
	Alerts *alert.Found `json:"alerts,omitempty"`
}

// log verifies a log and prints the result.
func (v *auditVerify) log(w io.Writer, dir string) error {
	o, err := v.options()
	if err != nil {
		return err
	}
	var anchors []alert.Anchor
	o.Entry = func(_ int64, record []byte) error {
		if anchor, ok := anchorOf(record); ok {
			anchors = append(anchors, anchor)
		}
		return nil
	}
	r := auditResult{}
	if r.Report, err = audit.Verify(dir, o); err != nil {
		return auditError(err)
	}
	if r.Alerts, err = v.alerts.compare(anchors); err != nil {
		return err
	}
	problems := r.problems()
	failed := &exitError{Code: exitIntegrity}
	switch {
	case v.out.name != plainFormat:
		err = v.out.write(w, r, r.document())
	case len(problems) > 0:
		failed.Err = errors.New(strings.Join(problems, "\n"))
	default:
		for _, c := range r.checks() {
			fmt.Fprintln(w, c.result)
		}
	}
	if err == nil && len(problems) > 0 {
		return failed
	}
	return err
}

// options returns the options that the flags describe.
func (v *auditVerify) options() (o audit.VerifyOptions, err error) {
	o.Witnesses = v.witnesses
	if o.Key, err = v.publicKey(); err != nil {
		return o, err
	}
	for _, vkey := range append([]string{o.Key}, v.witnesses...) {
		if _, err := audit.NewVerifier(vkey); vkey != "" && err != nil {
			return o, usageError("--key or --witness: %w", err)
		}
	}
	if v.since != "" {
		o.Since, err = os.ReadFile(v.since)
	}
	return o, err
}

// proof verifies a proof and prints the entry that it shows.
func (v *auditVerify) proof(w io.Writer, path string) error {
	vkey, err := v.publicKey()
	if err != nil {
		return err
	}
	if vkey == "" {
		return usageError("a proof does not contain the public key of the log: give it with --key")
	}
	key, err := audit.NewVerifier(vkey)
	if err != nil {
		return usageError("--key: %w", err)
	}
	var witnesses []note.Verifier
	for _, vkey := range v.witnesses {
		witness, err := audit.NewVerifier(vkey)
		if err != nil {
			return usageError("--witness: %w", err)
		}
		witnesses = append(witnesses, witness)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	p, err := audit.ParseProof(text)
	if err != nil {
		return &exitError{Code: exitIntegrity, Err: fmt.Errorf("%s: %w", path, err)}
	}
	c, sigs, err := p.Verify(key, witnesses...)
	if err != nil {
		return auditError(fmt.Errorf("%s: %w", path, err))
	}
	for _, witness := range witnesses {
		if !slices.ContainsFunc(sigs, func(s note.Signature) bool { return s.Name == witness.Name() && s.Hash == witness.KeyHash() }) {
			return &exitError{Code: exitIntegrity, Err: fmt.Errorf("%s: the witness %s has not signed it", path, witness.Name())}
		}
	}
	if v.out.name != plainFormat {
		shown := newSignedText(p.Checkpoint)
		shown.Entry, shown.Text = string(p.Entry), string(text)
		return v.out.write(w, map[string]any{"log": c.Origin, "entries": c.Tree.N, "number": p.Number, "entry": json.RawMessage(p.Entry)},
			shown.document(fmt.Sprintf("Verified: entry %d of an audit log", p.Number)))
	}
	_, err = fmt.Fprintf(w, "%s: ok, entry %d of %d in %s\n%s\n", path, p.Number, c.Tree.N, c.Origin, p.Entry)
	return err
}
