package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// A stage is the last stage of a Dockerfile.
type stage struct {
	config v1.Config
	files  map[string]string // path in the image, and the source
}

var (
	quoted = regexp.MustCompile(`([\w.-]+)="([^"]*)"`)
	joined = regexp.MustCompile(`\\\n`)
)

// readStage reads the last stage of a Dockerfile, which must begin on an empty image.
func readStage(text string) (*stage, error) {
	var s *stage
	for line := range strings.Lines(joined.ReplaceAllString(text, " ")) {
		verb, rest, _ := strings.Cut(strings.Join(strings.Fields(line), " "), " ")
		switch {
		case verb == "" || strings.HasPrefix(verb, "#"):
			continue
		case verb == "FROM" && rest == "scratch":
			s = &stage{files: map[string]string{}}
			continue
		case verb == "FROM":
			s = nil
			continue
		case s == nil: // an instruction of a stage that builds
			continue
		}
		if err := s.read(verb, rest); err != nil {
			return nil, fmt.Errorf("%s %s: %w", verb, rest, err)
		}
	}
	if s == nil {
		return nil, fmt.Errorf("the last stage does not begin with FROM scratch")
	}
	return s, nil
}

// read reads one instruction.
func (s *stage) read(verb, rest string) error {
	switch verb {
	case "LABEL":
		s.config.Labels = map[string]string{}
		for _, m := range quoted.FindAllStringSubmatch(rest, -1) {
			s.config.Labels[m[1]] = m[2]
		}
	case "ENV":
		s.config.Env = strings.Fields(rest)
	case "EXPOSE":
		s.config.ExposedPorts = map[string]struct{}{}
		for port := range strings.FieldsSeq(rest) {
			s.config.ExposedPorts[port+"/tcp"] = struct{}{}
		}
	case "USER":
		s.config.User = rest
	case "ENTRYPOINT":
		return json.Unmarshal([]byte(rest), &s.config.Entrypoint)
	case "CMD":
		return json.Unmarshal([]byte(rest), &s.config.Cmd)
	case "COPY":
		names := strings.Fields(strings.TrimPrefix(rest, "--from=build "))
		sources, to := names[:len(names)-1], names[len(names)-1]
		for _, from := range sources {
			name := to
			if strings.HasSuffix(to, "/") {
				name += path.Base(from)
			}
			s.files[strings.TrimPrefix(name, "/")] = from
		}
	default:
		return fmt.Errorf("not known here")
	}
	return nil
}

// image writes the image of all platforms as a folder of the OCI, packed in one file, and
// returns its digest.
func (r *release) image(platforms []string) (string, error) {
	text, err := os.ReadFile(filepath.Join(r.root, "Dockerfile"))
	if err != nil {
		return "", err
	}
	s, err := readStage(string(text))
	if err != nil {
		return "", fmt.Errorf("read Dockerfile: %w", err)
	}
	var index v1.ImageIndex = empty.Index
	for _, platform := range platforms {
		goos, arch, _ := strings.Cut(platform, "/")
		img, err := r.imageOf(s, goos, arch)
		if err != nil {
			return "", fmt.Errorf("%s: %w", platform, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        img,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: goos, Architecture: arch}},
		})
	}
	index = mutate.IndexMediaType(index, types.OCIImageIndex)
	digest, err := index.Digest()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "image")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	folder, err := layout.Write(dir, empty.Index)
	if err != nil {
		return "", err
	}
	ref := map[string]string{"org.opencontainers.image.ref.name": r.version}
	if err := folder.AppendIndex(index, layout.WithAnnotations(ref)); err != nil {
		return "", err
	}
	return digest.String(), r.tarFolder(dir, filepath.Join(r.dist, "noecho-image.tar"))
}

// imageOf returns the image of one platform: a layer with all files of the stage.
func (r *release) imageOf(s *stage, goos, arch string) (v1.Image, error) {
	layer, err := r.layer(s, filepath.Join(r.dist, "noecho-"+goos+"-"+arch))
	if err != nil {
		return nil, err
	}
	added, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer)), nil },
		tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	created := v1.Time{Time: r.time}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err = mutate.Append(img, mutate.Addendum{Layer: added, History: v1.History{Created: created, CreatedBy: "the last stage of the Dockerfile"}})
	if err != nil {
		return nil, err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Created, file.Config = goos, arch, created, *s.config.DeepCopy()
	file.Config.Labels["org.opencontainers.image.version"] = r.version
	file.Config.Labels["org.opencontainers.image.revision"] = r.commit
	return mutate.ConfigFile(img, file)
}

// layer returns the files of the stage as an archive.
func (r *release) layer(s *stage, program string) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	folders := map[string]bool{}
	for name := range s.files {
		for parent := path.Dir(name); parent != "."; parent = path.Dir(parent) {
			folders[parent+"/"] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(folders)) {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755, ModTime: r.time, Format: tar.FormatUSTAR}); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		from, mode := filepath.Join(r.root, s.files[name]), int64(0o644)
		switch s.files[name] {
		case "/out/noecho":
			from, mode = program, 0o755
		case "/etc/ssl/certs/ca-certificates.crt":
			from = r.certs
		}
		data, err := os.ReadFile(from)
		if err != nil {
			return nil, err
		}
		if err := r.add(w, name, mode, data); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}

func (r *release) add(w *tar.Writer, name string, mode int64, data []byte) error {
	err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(data)), ModTime: r.time, Format: tar.FormatUSTAR})
	if err == nil {
		_, err = w.Write(data)
	}
	return err
}

// tarFolder packs a folder into one file.
func (r *release) tarFolder(dir, name string) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer file.Close()
	w := tar.NewWriter(file)
	err = filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		inside, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(at)
		if err != nil {
			return err
		}
		return r.add(w, filepath.ToSlash(inside), 0o644, data)
	})
	if err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return file.Close()
}
