package config

import (
	"errors"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// A shape is the part of a JSON Schema that describes one value.
type shape map[string]any

// JSONSchema returns the JSON Schema of a configuration file, for editors. It is made of the
// functions that read a file: each is called with a value of every kind and notes what it
// would read. A schema cannot say everything that [Load] checks, so Load may refuse a file
// that fits the schema.
func JSONSchema() map[string]any {
	c := Default()
	r := &reader{}
	top := describe(r, func(n *yaml.Node) { r.config(n, &c) })
	top["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	top["title"] = "noecho configuration"
	top["description"] = "Keys of a configuration of noecho. Checking a file with noecho check finds more errors."
	top["required"] = []string{"version"}
	return top
}

// describe returns the shape of the values that read takes: a scalar, a list, a mapping, or
// one of a few words in their place.
func describe(r *reader, read func(n *yaml.Node)) shape {
	outer := r.shapes
	defer func() { r.shapes = outer }()
	try := func(n *yaml.Node) []shape {
		r.shapes, r.problems = &[]shape{}, nil
		read(n)
		return *r.shapes
	}
	var all []shape
	for _, n := range [...]*yaml.Node{
		{Kind: yaml.ScalarNode, Value: noValue},
		{Kind: yaml.SequenceNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: noValue}}},
		{Kind: yaml.MappingNode},
	} {
		all = append(all, try(n)...)
	}
	var words []string
	for _, word := range [...]string{off, "all", "none"} {
		if noted := try(&yaml.Node{Kind: yaml.ScalarNode, Value: word}); len(noted) == 0 && len(r.problems) == 0 {
			words = append(words, word)
		}
	}
	switch {
	case len(words) > 0 && len(all) > 0 && all[0]["enum"] != nil:
		all[0]["enum"] = slices.Compact(slices.Sorted(slices.Values(append(words, all[0]["enum"].([]string)...))))
	case len(words) > 0:
		all = append(all, shape{"enum": words})
	}
	if len(all) == 1 {
		return all[0]
	}
	return shape{"anyOf": all}
}

// noValue is a text that no word, number, size or time is written as.
const noValue = "\x00"

// object returns the shape of a mapping with known keys.
func object(r *reader, fields []field) shape {
	keys := map[string]shape{}
	for _, f := range fields {
		keys[f.key] = describe(r, f.read)
	}
	return shape{"type": "object", "properties": keys, "additionalProperties": false}
}

// An editor takes a text of digits for a number.
var (
	textTypes = []string{"string", "integer"}
	textShape = shape{"type": textTypes}
)

// choiceShape returns the shape of a choice of words. An editor takes a word such as 1.2 for a
// number.
func choiceShape(words []string) shape {
	var numbers []any
	for _, w := range words {
		if n, err := strconv.ParseFloat(w, 64); err == nil {
			numbers = append(numbers, w, n)
		}
	}
	if len(numbers) > 0 {
		return shape{"enum": numbers}
	}
	return shape{"enum": words}
}

// shapeOf returns the shape of the texts that take accepts. The words of a choice are in its
// error; numbers, sizes and times are told apart by examples.
func shapeOf(take func(string) error) shape {
	takes := func(examples ...string) bool {
		return slices.ContainsFunc(examples, func(s string) bool { return take(s) == nil })
	}
	var choice *wordError
	switch {
	case errors.As(take(noValue), &choice):
		return choiceShape(choice.words)
	case takes("x", "/x", "x:1", "http://x"):
		return textShape
	case takes("true"):
		return shape{"type": "boolean"}
	case takes("30s"):
		return shape{"type": "string", "pattern": `^([0-9.]+(ms|s|m|h))+$`}
	case takes("64KiB", "1MiB", "1GiB"):
		return shape{"type": textTypes, "pattern": `^[0-9]+ *([KMGT]iB)?$`}
	case takes("50%"):
		return shape{"type": "string", "pattern": `^[0-9]+ *%$`}
	case takes("8") && takes(off):
		return shape{"anyOf": []shape{{"type": "integer", "minimum": 1}, {"const": off}}}
	case takes("8"):
		return shape{"type": "integer", "minimum": 1}
	case takes("0640"):
		return shape{"type": textTypes, "pattern": `^[0-7]+$`}
	case takes("1"):
		return shape{"const": Version}
	default: // such as a digest
		return textShape
	}
}
