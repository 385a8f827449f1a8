package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxFileBytes bounds a configuration file; thousands of routes fit.
const maxFileBytes = 4 << 20

// Problem is one error in a file.
type Problem struct {
	File         string
	Line, Column int // from 1; 0 if unknown
	Message      string
}

// Error returns file:line:column: message.
func (p *Problem) Error() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, p.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// LoadFile reads a configuration file; see [Load].
func LoadFile(name string) (Config, error) {
	info, err := os.Stat(name)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	if info.Size() > maxFileBytes {
		return Config{}, fmt.Errorf("read configuration %s: %d bytes are more than the %d a file may have", name, info.Size(), maxFileBytes)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	return Load(name, data)
}

// Load reads a configuration. A key that the file leaves out has its default. The error
// joins every [*Problem], in the order of the file. name is only used in messages.
//
// Load does not ask for values that may also come from flags; see [Config.Complete].
func Load(name string, data []byte) (Config, error) {
	c := Default()
	r := &reader{file: name}
	if len(data) > maxFileBytes {
		r.say(nil, "the file has %d bytes, more than the %d it may have", len(data), maxFileBytes)
		return Config{}, r.err()
	}
	var docs []yaml.Node
	if err := yaml.Load(data, &docs, yaml.WithAllDocuments()); err != nil {
		r.syntax(err)
		return Config{}, r.err()
	}
	switch {
	case len(docs) > 1:
		r.say(&docs[1], "the file has more than one document: write one")
	case len(docs) == 0 || len(docs[0].Content) == 0:
		r.say(nil, "the file is empty: write at least version: %d", Version)
	case docs[0].Content[0].Kind == yaml.ScalarNode: // it may be training text
		r.say(nil, "the file is text and no configuration: write at least version: %d", Version)
	default:
		r.config(docs[0].Content[0], &c)
	}
	if err := r.err(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// Complete returns an error if the index or an upstream is missing in file, flags and
// environment together. The error names every place where the value may be written.
func (c *Config) Complete() error {
	var errs []error
	if len(c.Index) == 0 {
		errs = append(errs, errors.New("no index is given: name one with --index, NOECHO_INDEX or the key index"))
	}
	if c.Upstream.URL == nil && (len(c.Routes) == 0 || slices.ContainsFunc(c.Routes, func(r Route) bool { return r.Upstream == nil })) {
		errs = append(errs, errors.New("no upstream is given: name one with --upstream, NOECHO_UPSTREAM or the key upstream.url"))
	}
	if len(c.Trust.Keys) == 0 && (c.Trust.Model != "" || c.Trust.MinCounter > 0 || slices.ContainsFunc(c.Index, func(x Index) bool { return x.MinCounter > 0 })) {
		errs = append(errs, errors.New("model_digest and min_counter are compared with signatures: write trusted_keys too"))
	}
	return errors.Join(errs...)
}

// reader reads a document and collects its problems.
type reader struct {
	file     string
	problems []*Problem
	named    *yaml.Node // the first principal that a rule names; nil: none does
	shapes   *[]shape   // nil: a file is read; else the shapes that a value may have are noted, see [JSONSchema]
}

func (r *reader) note(s shape) { *r.shapes = append(*r.shapes, s) }

func (r *reader) say(n *yaml.Node, format string, args ...any) {
	p := &Problem{File: r.file, Message: fmt.Sprintf(format, args...)}
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	r.problems = append(r.problems, p)
}

func (r *reader) err() error {
	slices.SortStableFunc(r.problems, func(a, b *Problem) int {
		return cmp.Or(a.Line-b.Line, a.Column-b.Column)
	})
	errs := make([]error, len(r.problems))
	for i, p := range r.problems {
		errs[i] = p
	}
	return errors.Join(errs...)
}

// syntax turns the errors of the YAML parser into problems.
func (r *reader) syntax(err error) {
	var many *yaml.LoadErrors
	var one *yaml.LoadError
	switch {
	case errors.As(err, &many):
		for _, e := range many.Errors {
			r.syntaxAt(e)
		}
	case errors.As(err, &one):
		r.syntaxAt(one)
	default:
		r.say(nil, "not a YAML document")
	}
}

func (r *reader) syntaxAt(e *yaml.LoadError) {
	r.problems = append(r.problems, &Problem{
		File: r.file, Line: e.Mark.Line, Column: e.Mark.Column,
		Message: "not YAML: " + strings.TrimPrefix(e.Message, "yaml: "),
	})
}

// field is one key of a mapping and the function that reads its value.
type field struct {
	key  string
	read func(n *yaml.Node)
}

// mapping reads a mapping, whose keys must be known and occur once. It reports whether n is
// a mapping.
func (r *reader) mapping(n *yaml.Node, what string, fields ...field) bool {
	if n.Kind != yaml.MappingNode {
		r.say(n, "%s must have keys with values, such as %s: …, not %s", what, fields[0].key, kindOf(n))
		return false
	}
	if r.shapes != nil {
		r.note(object(r, fields))
		return false
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.key
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := slices.Index(names, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode || at < 0:
			r.say(key, "unknown key %q in %s%s", key.Value, what, didYouMean(key.Value, names))
		case seen[key.Value]:
			r.say(key, "key %q occurs twice in %s", key.Value, what)
		case value.Kind == yaml.ScalarNode && value.Tag == "!!null":
			r.say(key, "key %q has no value", key.Value)
		case value.Kind == yaml.AliasNode || value.Anchor != "":
			r.say(value, "anchors and aliases are not read here: write the value out")
		default:
			fields[at].read(value)
		}
		seen[key.Value] = true
	}
	return true
}

// pairs calls each for every key of a mapping whose keys are free, in the order of the file.
func (r *reader) pairs(n *yaml.Node, what string, each func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		r.say(n, "%s must be a list of patterns with modes, not %s", what, kindOf(n))
		return
	}
	if r.shapes != nil {
		key := &yaml.Node{Kind: yaml.ScalarNode, Value: "x"}
		r.note(shape{"type": "object", "additionalProperties": describe(r, func(value *yaml.Node) { each(key, value) })})
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		each(n.Content[i], n.Content[i+1])
	}
}

// list calls each for every entry of a sequence.
func (r *reader) list(n *yaml.Node, what string, each func(n *yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		r.say(n, "%s must be a list of entries that begin with a hyphen, not %s", what, kindOf(n))
		return
	}
	if r.shapes != nil {
		r.note(shape{"type": "array", "items": describe(r, each)})
		return
	}
	for _, entry := range n.Content {
		if entry.Kind == yaml.AliasNode || entry.Anchor != "" {
			r.say(entry, "anchors and aliases are not read here: write the value out")
			continue
		}
		each(entry)
	}
}

// scalar gives a plain value to take. Errors name the value "what".
func (r *reader) scalar(n *yaml.Node, what string, take func(string) error) {
	if r.shapes != nil && n.Kind == yaml.ScalarNode {
		r.note(shapeOf(take))
		return
	}
	s, ok := r.text(n, what)
	if !ok {
		return
	}
	if err := take(s); err != nil {
		r.say(n, "%s: %v", what, err)
	}
}

// text reads a plain value as it is written.
func (r *reader) text(n *yaml.Node, what string) (string, bool) {
	if n.Kind != yaml.ScalarNode {
		r.say(n, "%s must be a single value, not %s", what, kindOf(n))
		return "", false
	}
	if r.shapes != nil {
		r.note(textShape)
		return "", false
	}
	if n.Value == "" {
		r.say(n, "%s is empty: leave the key out or write a value", what)
		return "", false
	}
	return n.Value, true
}

// texts reads a list of plain values.
func (r *reader) texts(n *yaml.Node, what string, dst *[]string) {
	r.list(n, what, func(n *yaml.Node) {
		if s, ok := r.text(n, what); ok {
			*dst = append(*dst, s)
		}
	})
}

// kindOf describes a node in words that a reader without YAML knows.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a list of keys"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		return fmt.Sprintf("%q", n.Value)
	default:
		return "something else"
	}
}
