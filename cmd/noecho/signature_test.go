package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMinisign lets the program minisign check a signature of noecho, and noecho one that was made
// with a key of minisign.
func TestMinisign(t *testing.T) {
	t.Parallel()
	minisign, err := exec.LookPath("minisign")
	if err != nil {
		t.Skip("needs minisign: apt-get install minisign")
	}
	noecho, err := exec.LookPath("noecho")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	ours, theirs, ix := at("ours.key"), at("theirs.key"), at("a.nidx")
	text := at("text.txt")
	if err := os.WriteFile(text, []byte(recited), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, noecho, "index", "build", "--out", ix, text)
	mustRun(t, noecho, "index", "keygen", ours)
	mustRun(t, minisign, "-G", "-W", "-p", theirs+".pub", "-s", theirs)
	for _, key := range []string{ours, theirs} {
		mustRun(t, noecho, "index", "sign", ix, "--sign-key", key)
		check := []string{"-V", "-p", key + ".pub", "-m", ix + ".statement", "-x", ix + ".minisig"}
		out, err := exec.Command(minisign, check...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Trusted comment: noecho index, build ") {
			t.Fatalf("%v: %s", err, out)
		}
		mustRun(t, noecho, "index", "verify", ix, "--trust", key+".pub")
		statement := readFile(t, ix+".statement")
		statement[len(statement)/2] ^= 1
		if err := os.WriteFile(ix+".statement", statement, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(minisign, check...).CombinedOutput(); err == nil {
			t.Errorf("a changed statement was taken: %s", out)
		}
	}
	mustRun(t, minisign, "-S", "-s", theirs, "-m", ix+".statement", "-x", ix+".minisig")
	out, err := exec.Command(noecho, "index", "verify", ix, "--trust", theirs+".pub").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "not one that this version reads") && !strings.Contains(string(out), "the signature is of build") {
		t.Errorf("the changed statement, signed anew: %v: %s", err, out)
	}
}

// TestEveryFlippedByteOfASignature flips each byte of statement and signature. The untrusted
// comment is the one line that nothing signs.
func TestEveryFlippedByteOfASignature(t *testing.T) {
	t.Parallel()
	noecho, err := exec.LookPath("noecho")
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "sign.key")
	mustRun(t, noecho, "index", "keygen", key)
	ix := testIndex(t)
	mustRun(t, noecho, "index", "sign", ix, "--sign-key", key)
	trusted, err := parseTrusted([]string{key + ".pub"})
	if err != nil {
		t.Fatal(err)
	}
	info, err := statIndex(ix)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := readSigned(ix, info.BuildID, trusted); err != nil || s.Counter != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	for _, path := range []string{statementPath(ix), signaturePath(ix)} {
		whole := readFile(t, path)
		first := 0
		if path == signaturePath(ix) {
			first = strings.IndexByte(string(whole), '\n') + 1
		}
		for i := first; i < len(whole)-1; i++ {
			broken := append([]byte{}, whole...)
			broken[i] ^= 1
			if err := os.WriteFile(path, broken, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := readSigned(ix, info.BuildID, trusted); err == nil && whole[i+1] != '=' && whole[i+1] != '\n' {
				t.Errorf("%s: byte %d, %q: not found", filepath.Base(path), i, whole[i])
			}
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
