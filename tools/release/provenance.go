package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Names of the files that speak of the others.
const (
	provenanceName = "provenance.intoto.json"
	sumsName       = "SHA256SUMS"
)

// A statement is an in-toto Statement whose predicate is a provenance of SLSA, both in their
// version 1. It is not signed.
type statement struct {
	Type          string     `json:"_type"`
	Subject       []resource `json:"subject"`
	PredicateType string     `json:"predicateType"`
	Predicate     predicate  `json:"predicate"`
}

type predicate struct {
	BuildDefinition struct {
		BuildType            string         `json:"buildType"`
		ExternalParameters   map[string]any `json:"externalParameters"`
		ResolvedDependencies []resource     `json:"resolvedDependencies"`
	} `json:"buildDefinition"`
	RunDetails struct {
		Builder struct {
			ID string `json:"id"`
		} `json:"builder"`
	} `json:"runDetails"`
}

// A resource is a file that was made, or something that it was made of.
type resource struct {
	Name        string            `json:"name"`
	URI         string            `json:"uri,omitempty"`
	Digest      map[string]string `json:"digest,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// digests returns the SHA-256 of every file below dist but those that speak of the others.
func (r *release) digests(without ...string) (map[string]string, error) {
	all := map[string]string{}
	err := filepath.WalkDir(r.dist, func(at string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(r.dist, at)
		if err != nil || slices.Contains(without, name) {
			return err
		}
		data, err := os.ReadFile(at)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		all[filepath.ToSlash(name)] = hex.EncodeToString(sum[:])
		return nil
	})
	return all, err
}

// provenance writes from which commit, with which Go and from which modules the programs
// were built. The modules are those that Go wrote into the programs.
func (r *release) provenance(image string) error {
	digests, err := r.digests(provenanceName, sumsName)
	if err != nil {
		return err
	}
	st := statement{Type: "https://in-toto.io/Statement/v1", PredicateType: "https://slsa.dev/provenance/v1"}
	st.Subject = append(st.Subject, resource{Name: "noecho", Digest: map[string]string{"sha256": strings.TrimPrefix(image, "sha256:")}})
	modules := map[string]resource{}
	for _, name := range slices.Sorted(maps.Keys(digests)) {
		st.Subject = append(st.Subject, resource{Name: name, Digest: map[string]string{"sha256": digests[name]}})
		info, err := buildinfo.ReadFile(filepath.Join(r.dist, name))
		if err != nil {
			continue // no program of Go
		}
		modules["go"] = resource{Name: "go", Annotations: map[string]string{"version": info.GoVersion}}
		for _, m := range info.Deps {
			modules[m.Path] = resource{Name: m.Path, URI: "pkg:golang/" + m.Path + "@" + m.Version, Annotations: map[string]string{"version": m.Version, "sum": m.Sum}}
		}
	}
	if len(modules) == 0 {
		return fmt.Errorf("%s has no program of Go", r.dist)
	}
	b := &st.Predicate.BuildDefinition
	b.BuildType = "urn:noecho:make:release:v1"
	b.ExternalParameters = map[string]any{"target": "release", "version": r.version}
	b.ResolvedDependencies = []resource{{Name: "noecho", Digest: map[string]string{"gitCommit": r.commit}}}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		b.ResolvedDependencies = append(b.ResolvedDependencies, modules[name])
	}
	st.Predicate.RunDetails.Builder.ID = "urn:noecho:make"
	text, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.dist, provenanceName), append(text, '\n'), 0o644)
}

// sums writes the digests of all files as sha256sum does.
func (r *release) sums() error {
	digests, err := r.digests(sumsName)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(digests)) {
		fmt.Fprintf(&text, "%s  %s\n", digests[name], name)
	}
	return os.WriteFile(filepath.Join(r.dist, sumsName), []byte(text.String()), 0o644)
}
