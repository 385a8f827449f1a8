package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"noecho/eval"
)

// evalFiles is where the reports go. Empty: nowhere; "-": standard output, which
// otherwise gets the tables as text.
type evalFiles struct{ json, markdown, svg string }

// jsonReportHead begins every report as JSON.
const jsonReportHead = "{\n  \"report\": \"" + eval.ReportName + "\","

// evalFile is one of them.
type evalFile struct {
	flag, path, head string
	write            func(r *eval.Report, w io.Writer) error
}

func (f *evalFiles) list() []evalFile {
	return []evalFile{
		{"json", f.json, jsonReportHead, (*eval.Report).WriteJSON},
		{"markdown", f.markdown, eval.MarkdownHead, (*eval.Report).WriteMarkdown},
		{"svg", f.svg, eval.SVGHead, (*eval.Report).WriteSVG},
	}
}

// check refuses to write over a file that is no report, and two reports to one
// place.
func (f *evalFiles) check() error {
	seen := map[string]string{}
	for _, file := range f.list() {
		if file.path == "" {
			continue
		}
		at := filepath.Clean(file.path)
		if seen[at] != "" {
			return usageError("--%s and --%s both write to %s", seen[at], file.flag, file.path)
		}
		seen[at] = file.flag
		if file.path != "-" && holdsSomethingElse(file.path, file.head) {
			return usageError("%s exists and is no such report: it would be lost; choose another --%s", file.path, file.flag)
		}
	}
	return nil
}

// all writes the reports.
func (f *evalFiles) all(stdout io.Writer, r *eval.Report) error {
	shown := false
	for _, file := range f.list() {
		if file.path == "" {
			continue
		}
		if file.path == "-" {
			shown = true
			if err := file.write(r, stdout); err != nil {
				return fmt.Errorf("write the report: %w", err)
			}
			continue
		}
		var b bytes.Buffer
		if err := file.write(r, &b); err != nil {
			return fmt.Errorf("write %s: %w", file.path, err)
		}
		if err := replaceFile(file.path, b.Bytes()); err != nil {
			return err
		}
	}
	if shown {
		return nil
	}
	return r.WriteText(stdout)
}

// replaceFile puts a whole file in the place of another, or nothing. A device or
// a pipe is written to.
func replaceFile(path string, data []byte) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write the report: %w", err)
		}
	}()
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		return os.WriteFile(path, data, 0o644)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
