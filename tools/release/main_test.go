package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// newRelease returns a release of two programs, which are this test itself.
func newRelease(t *testing.T) *release {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	r := &release{root: "../..", dist: dir, version: "v1.2.3", commit: strings.Repeat("ab", 20), time: time.Unix(1700000000, 0).UTC(), certs: filepath.Join(t.TempDir(), "certs")}
	for name, data := range map[string][]byte{
		filepath.Join(dir, "noecho-linux-amd64"): program,
		filepath.Join(dir, "noecho-linux-arm64"): append(program, 0),
		r.certs:                                  []byte("certificates\n"),
	} {
		if err := os.WriteFile(name, data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.pack([]string{"linux/amd64", "linux/arm64"}); err != nil {
		t.Fatal(err)
	}
	return r
}

// unpack opens the image of a release.
func unpack(t *testing.T, r *release) v1.ImageIndex {
	t.Helper()
	file, err := os.Open(filepath.Join(r.dist, "noecho-image.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	dir := t.TempDir()
	for in := tar.NewReader(file); ; {
		h, err := in.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, h.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	top, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := top.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	index, err := top.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// TestImage: the image is whole, for two platforms, and what the Dockerfile says.
func TestImage(t *testing.T) {
	index := unpack(t, newRelease(t))
	if err := validate.Index(index); err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, m := range manifest.Manifests {
		platforms = append(platforms, m.Platform.String())
		img, err := index.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		checkImage(t, img, m.Platform.Architecture)
	}
	if !slices.Equal(platforms, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("platforms %q", platforms)
	}
}

func checkImage(t *testing.T, img v1.Image, arch string) {
	t.Helper()
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := file.Config
	if file.OS != "linux" || file.Architecture != arch || file.Created.Unix() != 1700000000 {
		t.Errorf("%s/%s of %s", file.OS, file.Architecture, file.Created)
	}
	if c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/noecho"}) || !slices.Equal(c.Cmd, []string{"serve"}) ||
		!slices.Equal(c.Env, []string{"NOECHO_LISTEN=0.0.0.0:8711", "NOECHO_ADMIN=0.0.0.0:8712"}) || len(c.ExposedPorts) != 2 {
		t.Errorf("%+v", c)
	}
	if c.Labels["org.opencontainers.image.licenses"] != "Apache-2.0" || c.Labels["org.opencontainers.image.version"] != "v1.2.3" {
		t.Errorf("labels %v", c.Labels)
	}
	var names []string
	content := mutate.Extract(img)
	defer content.Close()
	for in := tar.NewReader(content); ; {
		h, err := in.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if names = append(names, h.Name); h.Uid != 0 || h.Mode&0o022 != 0 || (h.Name == "noecho") != (h.Mode == 0o755 && h.Typeflag == tar.TypeReg) {
			t.Errorf("%s: owner %d, mode %o", h.Name, h.Uid, h.Mode)
		}
	}
	slices.Sort(names)
	if want := []string{"LICENSE", "NOTICE", "etc", "etc/ssl", "etc/ssl/certs", "etc/ssl/certs/ca-certificates.crt", "noecho"}; !slices.Equal(names, want) {
		t.Errorf("files %q", names)
	}
}

// TestSame: the same files give the same release, byte for byte.
func TestSame(t *testing.T) {
	a, b := newRelease(t), newRelease(t)
	for _, name := range []string{"noecho-image.tar", "IMAGE-DIGEST", provenanceName, sumsName} {
		x, err := os.ReadFile(filepath.Join(a.dist, name))
		if err != nil {
			t.Fatal(err)
		}
		y, err := os.ReadFile(filepath.Join(b.dist, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(x, y) {
			t.Errorf("%s differs", name)
		}
	}
}

// TestProvenance: the statement names every file with its digest, the commit, Go and the
// modules, and the image by the digest under which a registry keeps it.
func TestProvenance(t *testing.T) {
	r := newRelease(t)
	text, err := os.ReadFile(filepath.Join(r.dist, provenanceName))
	if err != nil {
		t.Fatal(err)
	}
	var st statement
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&st); err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(r.dist, sumsName))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range st.Subject {
		names = append(names, s.Name)
		if s.Name != "noecho" && !bytes.Contains(sums, []byte(s.Digest["sha256"]+"  "+s.Name+"\n")) {
			t.Errorf("%s has another digest in %s", s.Name, sumsName)
		}
	}
	if want := []string{"noecho", "IMAGE-DIGEST", "noecho-image.tar", "noecho-linux-amd64", "noecho-linux-arm64"}; !slices.Equal(names, want) {
		t.Errorf("subjects %q", names)
	}
	digest, err := unpack(t, r).Digest()
	if err != nil || st.Subject[0].Digest["sha256"] != digest.Hex {
		t.Errorf("image %v, want %s %v", st.Subject[0].Digest, digest, err)
	}
	made := map[string]resource{}
	for _, d := range st.Predicate.BuildDefinition.ResolvedDependencies {
		made[d.Name] = d
	}
	if made["noecho"].Digest["gitCommit"] != r.commit || made["go"].Annotations["version"] == "" || made["github.com/google/go-containerregistry"].URI == "" {
		t.Errorf("made of %v", made)
	}
}

// TestStage: an instruction that is not known here is an error, and so is a shell.
func TestStage(t *testing.T) {
	for text, want := range map[string]string{
		"FROM golang AS build\nRUN x\nFROM scratch\nUSER 1:1\n": "",
		"FROM scratch\nRUN x\n":                                 "RUN x: not known here",
		"FROM scratch\nFROM debian\nUSER 1\n":                   "the last stage does not begin with FROM scratch",
		"FROM scratch\nCMD serve\n":                             "CMD serve: invalid character",
	} {
		_, err := readStage(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
