package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"aead.dev/minisign"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"noecho/audit"
	"noecho/index"
)

// How an index is signed.
//
// Two small files beside the index, train.nidx.statement and train.nidx.minisig. The statement
// has the build id, which is a hash over the whole index and is checked when the index is
// opened. The signature is over the statement, so that nobody reads the index a second time, and
// in the format of minisign:
//
//	minisign -V -p key.pub -m train.nidx.statement -x train.nidx.minisig

// statement is the text about an index that a signature covers. Its JSON is canonical (RFC 8785).
type statement struct {
	BuildID string `json:"build_id"`
	Counter uint64 `json:"counter"`         // grows from one version of an index to the next
	Model   string `json:"model,omitempty"` // digest of the model that the index is of
	V       int    `json:"v"`               // 1
}

// signedBy is a statement and the key that has signed it.
type signedBy struct {
	statement
	Key string `json:"key"` // 16 hexadecimal digits, as minisign prints them
}

// errUnsigned matches the errors of an index that no trusted key has signed as it is.
var errUnsigned = errors.New("the index is not signed by a trusted key")

func statementPath(path string) string { return path + ".statement" }
func signaturePath(path string) string { return path + ".minisig" }

// maxStatement bounds the files of a signature.
const maxStatement = 64 << 10

// readSigned checks the signature beside an index, and that it is of this build.
func readSigned(path, buildID string, trusted []minisign.PublicKey) (signedBy, error) {
	bad := func(format string, args ...any) (signedBy, error) {
		return signedBy{}, fmt.Errorf("%w: %s: %w", errUnsigned, path, fmt.Errorf(format, args...))
	}
	text, err := readSmall(statementPath(path))
	if err != nil {
		return bad("%w: sign it with noecho index sign", err)
	}
	signature, err := readSmall(signaturePath(path))
	if err != nil {
		return bad("%w: sign it with noecho index sign", err)
	}
	for _, key := range trusted {
		if !minisign.Verify(key, text, signature) {
			continue
		}
		s := signedBy{Key: keyID(key.ID())}
		if err := json.Unmarshal(text, &s.statement); err != nil || s.V != 1 {
			return bad("its statement is not one that this version reads")
		}
		if s.BuildID != buildID {
			return bad("the signature is of build %.12s, and the index is build %.12s: sign it again", s.BuildID, buildID)
		}
		return s, nil
	}
	var of minisign.Signature
	if err := of.UnmarshalText(signature); err != nil {
		return bad("its signature cannot be read: sign it again")
	}
	return bad("its signature by key %s is not one of a trusted key over this statement", keyID(of.KeyID))
}

// readSmall reads a file of a signature.
func readSmall(path string) ([]byte, error) { return readAtMost(path, maxStatement) }

// readAtMost reads the beginning of a file.
func readAtMost(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}

func keyID(id uint64) string { return fmt.Sprintf("%016X", id) }

// parseTrusted reads public keys: each a line as minisign prints it, or the name of a file that
// contains it.
func parseTrusted(keys []string) ([]minisign.PublicKey, error) {
	var out []minisign.PublicKey
	for _, text := range keys {
		var key minisign.PublicKey
		if key.UnmarshalText([]byte(strings.TrimSpace(text))) != nil {
			file, err := readSmall(text)
			if err != nil {
				return nil, fmt.Errorf("trusted key %q is neither a public key of minisign nor a file: %w", text, err)
			}
			if err := key.UnmarshalText(bytes.TrimSpace(file)); err != nil {
				return nil, fmt.Errorf("%s is not a public key of minisign", text)
			}
		}
		out = append(out, key)
	}
	return out, nil
}

// modelDigest is the form of the digest of a model.
var modelDigest = regexp.MustCompile(`^([0-9a-f]{2}){16,64}$`)

const indexSignHelp = `Sign an index, so that noecho serve with trusted_keys uses it. The files FILE.statement and
FILE.minisig are written beside the index. The statement has the build id of the index, a
counter, and with --model the digest of the model that the index belongs to. Only the
beginning of the index is read: its build id is a hash over all of it, which is checked
whenever it is opened.

The key is a secret key of minisign, which index keygen or minisign -G makes. If it has a
password, it is asked for, or taken from NOECHO_SIGN_PASSWORD.

The counter is 1 more than the one beside the index, or 1. serve refuses an index whose
counter is below min_counter, or below one that it has served: so nobody can put an older
index back that lacks records of the newer one. If FILE has a new name, give --counter.`

// indexSign contains the flags of one signature.
type indexSign struct {
	keyFile string
	model   string
	counter uint64
	audit   auditTarget
	asJSON  bool
}

func newIndexSignCommand(a *app) *cobra.Command {
	s := new(indexSign)
	cmd := &cobra.Command{
		Use:     "sign FILE --sign-key KEY [--model DIGEST] [--counter N]",
		Short:   "Sign an index",
		Long:    indexSignHelp,
		Example: "  noecho index keygen sign.key\n  noecho index sign support.nidx --sign-key sign.key --model $(sha256sum model.safetensors | cut -c1-64)\n  minisign -V -p sign.key.pub -m support.nidx.statement -x support.nidx.minisig",
		Args:    oneIndex,
		RunE: func(cmd *cobra.Command, args []string) error {
			if s.keyFile == "" {
				return usageError("name the secret key with --sign-key: noecho index keygen makes one")
			}
			if s.model != "" && !modelDigest.MatchString(s.model) {
				return usageError("--model %q: want a digest of hexadecimal digits in lower case, such as sha256sum prints", s.model)
			}
			return s.run(cmd.Context(), a, args[0])
		},
	}
	cmd.Flags().StringVar(&s.keyFile, "sign-key", "", "`FILE` with the secret key (required)")
	cmd.Flags().StringVar(&s.model, "model", "", "`DIGEST` of the model that was trained on the inputs")
	cmd.Flags().Uint64Var(&s.counter, "counter", 0, "version of the index, which may only grow (default: 1 more than before)")
	s.audit.add(cmd)
	cmd.Flags().BoolVar(&s.asJSON, "json", false, "print the result as JSON")
	return cmd
}

// run signs an index and prints the statement.
func (s *indexSign) run(ctx context.Context, a *app, path string) error {
	if err := s.audit.ready(ctx, a); err != nil {
		return err
	}
	info, err := statIndex(path)
	if err != nil {
		return indexError(err)
	}
	key, err := readSignKey(a, s.keyFile)
	if err != nil {
		return err
	}
	st := statement{BuildID: info.BuildID, Counter: s.counter, Model: s.model, V: 1}
	if st.Counter == 0 {
		var old statement
		if text, err := readSmall(statementPath(path)); err == nil {
			_ = json.Unmarshal(text, &old) // of another version: begin at 1
		}
		st.Counter = old.Counter + 1
	}
	if err := signIndex(path, st, key); err != nil {
		return err
	}
	entry := audit.Entry{Type: audit.IndexSigned, Counts: map[string]uint64{"counter": st.Counter}, Digests: map[string]string{
		"build": st.BuildID, "key": strings.ToLower(keyID(key.ID())),
	}}
	if st.Model != "" {
		entry.Digests["model"] = st.Model
	}
	if err := s.audit.write(ctx, a, entry); err != nil {
		return err
	}
	return printSigned(a.stdout, path, signedBy{st, keyID(key.ID())}, s.asJSON)
}

// statIndex reads the header of an index.
func statIndex(path string) (index.Info, error) {
	f, err := os.Open(path)
	if err != nil {
		return index.Info{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return index.Info{}, err
	}
	info, err := index.Stat(f, st.Size())
	if err != nil {
		return info, fmt.Errorf("open index %q: %w", path, err)
	}
	return info, nil
}

// signIndex writes the statement and its signature beside an index.
func signIndex(path string, s statement, key minisign.PrivateKey) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	text = append(text, '\n')
	message := minisign.NewReader(bytes.NewReader(text))
	if _, err := io.Copy(io.Discard, message); err != nil {
		return err
	}
	signature := message.SignWithComments(key, fmt.Sprintf("noecho index, build %s, counter %d", s.BuildID, s.Counter), "signature from noecho index sign, key "+keyID(key.ID()))
	if err := replaceFile(statementPath(path), text); err != nil {
		return fmt.Errorf("write the statement: %w", err)
	}
	if err := replaceFile(signaturePath(path), signature); err != nil {
		return fmt.Errorf("write the signature: %w", err)
	}
	return nil
}

// printSigned prints a statement that is signed.
func printSigned(w io.Writer, path string, s signedBy, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(struct {
			File string `json:"file"`
			signedBy
		}{path, s})
	}
	model := ""
	if s.Model != "" {
		model = ", model " + s.Model[:12]
	}
	_, err := fmt.Fprintf(w, "%s: signed by key %s: build %.12s, counter %d%s\n", path, s.Key, s.BuildID, s.Counter, model)
	return err
}

// readSignKey reads a secret key of minisign. No error quotes the file.
func readSignKey(a *app, path string) (minisign.PrivateKey, error) {
	var key minisign.PrivateKey
	text, err := readSmall(path)
	if err != nil {
		return key, fmt.Errorf("read the secret key: %w", err)
	}
	text = bytes.TrimSpace(text)
	if !minisign.IsEncrypted(text) {
		if key.UnmarshalText(text) != nil {
			return key, fmt.Errorf("%s is not a secret key of minisign", path)
		}
		return key, nil
	}
	password := a.getenv("NOECHO_SIGN_PASSWORD")
	if f, ok := a.stdin.(*os.File); ok && password == "" && term.IsTerminal(int(f.Fd())) {
		fmt.Fprintf(a.stderr, "password of %s: ", path)
		typed, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(a.stderr)
		if err != nil {
			return key, err
		}
		password = string(typed)
	}
	if key, err = minisign.DecryptKey(password, text); err != nil {
		return key, fmt.Errorf("%s has another password: set NOECHO_SIGN_PASSWORD", path)
	}
	return key, nil
}

func newIndexKeygenCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a key to sign indexes with",
		Long: `Write a new secret key to FILE, which only this user can read, and its public key to
FILE.pub. Both are keys of minisign; minisign -G makes them too, with a password. Give the
public key to noecho serve with the key trusted_keys. Keep the secret key away from the
machines that serve: who has it can sign any index.`,
		Example: "  noecho index keygen sign.key",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError("name the file to write")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			public, secret, err := minisign.GenerateKey(nil)
			if err != nil {
				return err
			}
			secretText, err := secret.MarshalText()
			if err != nil {
				return err
			}
			publicText, err := public.MarshalText()
			if err != nil {
				return err
			}
			for _, file := range []struct {
				path string
				text []byte
				mode fs.FileMode
			}{{args[0], secretText, 0o600}, {args[0] + ".pub", publicText, 0o644}} {
				f, err := os.OpenFile(file.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, file.mode)
				if err != nil {
					return fmt.Errorf("write the key: %w", err)
				}
				_, err = f.Write(append(bytes.TrimSpace(file.text), '\n'))
				if err = errors.Join(err, f.Close()); err != nil {
					return fmt.Errorf("write the key: %w", err)
				}
			}
			_, err = fmt.Fprintf(a.stdout, "secret key: %s\npublic key: %s\n", args[0], cmp.Or(public.String(), args[0]+".pub"))
			return err
		},
	}
}
