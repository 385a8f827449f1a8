package build

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"noecho/index"
	"noecho/index/internal/format"
	"noecho/internal/coverage"
)

// mergeManifests returns the manifest of a merged index. It depends neither on the
// order of the members nor on whether they were merged step by step.
func mergeManifests(members []*member, builder string) (*index.Manifest, error) {
	all := &index.Manifest{Builder: builder, Parameters: members[0].manifest.Parameters, Exclusions: members[0].manifest.Exclusions}
	sets := map[string]*index.Dataset{}
	var models, formats, fields, roles []string
	for _, m := range members {
		in := m.manifest
		if all.Time.Before(in.Time) {
			all.Time = in.Time
		}
		var err error
		if all.CorpusDigest, err = addDigests(all.CorpusDigest, in.CorpusDigest); err != nil {
			return nil, fmt.Errorf("merge index %q: %w", m.path, err)
		}
		models = append(models, strings.Split(in.Model, ", ")...)
		formats = append(formats, strings.Split(in.Parameters.Format, ", ")...)
		fields = append(fields, in.Parameters.Fields...)
		roles = append(roles, in.Parameters.Roles...)
		addNotIndexed(&all.NotIndexed, in.NotIndexed)
		all.Merged = append(all.Merged, m.leaves()...)
		for _, d := range in.Datasets {
			if err := mergeDataset(sets, d); err != nil {
				return nil, fmt.Errorf("merge index %q: %w", m.path, err)
			}
		}
	}
	all.Model = strings.Join(names(models), ", ")
	all.Parameters.Format = strings.Join(names(formats), ", ")
	all.Parameters.Fields = names(fields)
	mergePhraseParameters(&all.Parameters, members)
	if !sameLists(members) {
		all.Parameters.Roles = names(roles)
	}
	all.Merged = names(all.Merged)
	all.Datasets = []index.Dataset{}
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		all.Datasets = append(all.Datasets, *sets[name])
	}
	return all, nil
}

// sameLists reports whether all members were built with the same roles in the
// same order.
func sameLists(members []*member) bool {
	return !slices.ContainsFunc(members, func(m *member) bool {
		return !slices.Equal(m.manifest.Parameters.Roles, members[0].manifest.Parameters.Roles)
	})
}

// mergeDataset adds a dataset to the one with the same name.
func mergeDataset(sets map[string]*index.Dataset, d index.Dataset) (err error) {
	sum := sets[d.Name]
	if sum == nil {
		sets[d.Name] = &d
		return nil
	}
	if sum.PathDigest, err = addDigests(sum.PathDigest, d.PathDigest); err != nil {
		return err
	}
	sum.Files += d.Files
	addCounts(sum, &d)
	if d.Coverage != nil {
		all := new(coverage.Table)
		if sum.Coverage != nil {
			all.Add(sum.Coverage)
		}
		all.Add(d.Coverage)
		sum.Coverage = all
	}
	if labels := names(slices.Concat(sum.Labels, d.Labels)); labels != nil {
		sum.Labels = labels
	}
	return nil
}

// names sorts strings and removes empty and repeated ones. It returns nil if none is
// left.
func names(all []string) []string {
	all = slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == "" })
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// addDigests returns the sum of two SHA-256 digests in hex, modulo 2²⁵⁶. The sum does
// not depend on the order. An empty digest counts as zero.
func addDigests(a, b string) (string, error) {
	var sum [sha256.Size]byte
	carry := uint64(0)
	x, err := parseDigest(a)
	if err != nil {
		return "", err
	}
	y, err := parseDigest(b)
	if err != nil {
		return "", err
	}
	for i := len(sum) - 1; i >= 0; i-- {
		s, _ := bits.Add64(uint64(x[i]), uint64(y[i]), carry)
		sum[i], carry = byte(s), s>>8
	}
	return hex.EncodeToString(sum[:]), nil
}

func parseDigest(s string) (d [sha256.Size]byte, err error) {
	if s == "" {
		return d, nil
	}
	if n, err := hex.Decode(d[:], []byte(s)[:min(len(s), 2*sha256.Size)]); err != nil || n != len(d) || len(s) != 2*sha256.Size {
		return d, format.Damaged("digest %.70q in MANIFEST is not %d hexadecimal digits: rebuild the index", s, 2*sha256.Size)
	}
	return d, nil
}

// exclusionsDigest returns a short text that identifies the list of exclusions.
func exclusionsDigest(m *index.Manifest) string {
	if len(m.Exclusions) == 0 {
		return "empty"
	}
	b, err := json.Marshal(m.Exclusions)
	if err != nil {
		panic("build: internal error: exclusions cannot be encoded as JSON: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return fmt.Sprintf("%d long, digest %x", len(m.Exclusions), sum[:6])
}

// addNotIndexed adds the counts o to n.
func addNotIndexed(n *index.NotIndexed, o index.NotIndexed) {
	n.SystemMessages += o.SystemMessages
	n.DeveloperMessages += o.DeveloperMessages
	n.OtherMessages += o.OtherMessages
	n.ShortSegments += o.ShortSegments
	n.ShortRecords += o.ShortRecords
	n.BadRecords += o.BadRecords
	n.ExcludedWindows += o.ExcludedWindows
	n.SkippedFiles += o.SkippedFiles
}
