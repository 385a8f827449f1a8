package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"noecho/audit"
	"noecho/govern"
	"noecho/index"
	"noecho/index/build"
)

// A suppression index is the union of small indexes, one for each person, and no person can be taken out
// of a union. So the ledger keeps the index of each person, compressed: their part. To take somebody
// out, the parts of the others are united anew. The manifest of a union has the build ids of its
// members, by which the parts are compared with the file.

// keepPart unites the index of a person with the part that the ledger has, and writes the part.
func keepPart(ctx context.Context, ledger *govern.Ledger, id, dir, person string) error {
	m := build.MergeOptions{Out: filepath.Join(dir, "part.nidx"), Inputs: []string{person}, Builder: readBuildInfo().Version}
	if packed, err := ledger.ReadPart(id); err == nil {
		old := filepath.Join(dir, "old.nidx")
		if err := unpack(packed, old); err != nil {
			return err
		}
		m.Inputs = append(m.Inputs, old)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := build.Merge(ctx, m); err != nil {
		return fmt.Errorf("the part of the request in the ledger: %w", err)
	}
	b, err := os.ReadFile(m.Out)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err = z.Write(b)
	if err = errors.Join(err, z.Close()); err != nil {
		return err
	}
	return ledger.WritePart(id, packed.Bytes())
}

// unpack writes a part to a file.
func unpack(packed []byte, path string) error {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return fmt.Errorf("a part in the ledger is damaged: %w", err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		return fmt.Errorf("a part in the ledger is damaged: %w", err)
	}
	return os.WriteFile(path, b, 0o600)
}

// membersOf returns the build ids of the indexes that an index is the union of.
func membersOf(path string) ([]string, error) {
	info, m, err := index.Verify(path)
	if err != nil {
		return nil, indexError(err)
	}
	if len(m.Merged) == 0 {
		return []string{info.BuildID}, nil
	}
	return m.Merged, nil
}

// takeOut takes the person of a request out of a suppression index. The file is replaced by one of
// the others, or deleted if there are none. why is not empty if the file could not be made anew.
func takeOut(ctx context.Context, ledger *govern.Ledger, path, id string) (why string, err error) {
	lock, err := audit.Lock(ctx, path+".lock")
	if err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	defer lock.Close()
	members, err := membersOf(path)
	if err != nil {
		return "", err
	}
	dir := path + ".new"
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	defer os.RemoveAll(dir)
	ids, err := ledger.Parts()
	if err != nil {
		return "", err
	}
	own := false
	var others []string
	for _, one := range ids {
		part := filepath.Join(dir, one+".nidx")
		packed, err := ledger.ReadPart(one)
		if err == nil {
			err = unpack(packed, part)
		}
		if err != nil {
			return "", err
		}
		has, err := membersOf(part)
		if err != nil {
			return "", err
		}
		if !slices.ContainsFunc(has, func(m string) bool { return slices.Contains(members, m) }) {
			continue // of another file
		}
		members = slices.DeleteFunc(slices.Clone(members), func(m string) bool { return slices.Contains(has, m) })
		if one == id {
			own = true
		} else {
			others = append(others, part)
		}
	}
	switch {
	case !own:
		return "the ledger has no part of the person, who was suppressed without it: make the file anew without them", nil
	case len(members) > 0:
		return fmt.Sprintf("%s of the file is not in the ledger, of people who were suppressed without it: make the file anew without the person", count(len(members), "member")), nil
	case len(others) == 0:
		return "", errors.Join(os.Remove(path), removeIfThere(statementPath(path)), removeIfThere(signaturePath(path)))
	}
	return "", unite(ctx, path, dir, others)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// unite writes the union of parts to a file, a few at a time, so that not too many files are open.
func unite(ctx context.Context, path, dir string, parts []string) error {
	const most = 64
	for len(parts) > most {
		sum := filepath.Join(dir, fmt.Sprintf("union%d.nidx", len(parts)))
		if _, err := build.Merge(ctx, build.MergeOptions{Out: sum, Inputs: parts[:most], Builder: readBuildInfo().Version}); err != nil {
			return err
		}
		parts = append(slices.Clone(parts[most:]), sum)
	}
	_, err := build.Merge(ctx, build.MergeOptions{Out: path, Inputs: parts, Builder: readBuildInfo().Version})
	if err != nil {
		return fmt.Errorf("%s remains as it was: %w", path, err)
	}
	return nil
}
