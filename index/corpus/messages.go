package corpus

import "slices"

// turns reads a list of messages, or plain text where a prompt or a completion is a
// string. An object in place of the list becomes one text, its JSON. So no text is lost
// in exports that turn a list of messages into an object of lists.
func (p *Parser) turns() error {
	if p.d.PeekKind() != '[' {
		return p.text()
	}
	return p.elements(func() error {
		if p.d.PeekKind() == '{' {
			return p.message()
		}
		return p.texts()
	})
}

// hearing collects the roles of one message. A role may come after the text, and may
// come twice; then one that was asked for is enough.
type hearing struct {
	asked  bool // one of the roles was asked for
	unread Skips
}

// message reads one message. Its texts are kept if its role was asked for, or if it has
// no role.
func (p *Parser) message() error {
	segments, text := len(p.rec.Segments), len(p.rec.text)
	var h hearing
	err := p.members(func(name []byte) error {
		switch string(name) {
		case "role":
			return p.role(&h)
		case "content":
			return p.content()
		case "refusal", "reasoning_content":
			return p.text()
		case "tool_calls":
			return p.calls()
		case "function_call":
			return p.call()
		case "from":
			if p.format == ShareGPT {
				return p.role(&h)
			}
		case "value":
			if p.format == ShareGPT {
				return p.content()
			}
		}
		return p.d.SkipValue()
	})
	if err != nil || h.asked || h.unread == (Skips{}) {
		return err
	}
	p.rec.Segments, p.rec.text = p.rec.Segments[:segments], p.rec.text[:text]
	p.rec.Skipped.System += h.unread.System
	p.rec.Skipped.Developer += h.unread.Developer
	p.rec.Skipped.Other += h.unread.Other
	return nil
}

// role reads a message's role.
func (p *Parser) role(h *hearing) error {
	v, err := p.d.ReadValue()
	if err != nil || v.Kind() != '"' {
		return err
	}
	role := p.unquote(v)
	if p.format == ShareGPT {
		role = speaker(role)
	}
	switch {
	case p.wanted(role):
		h.asked = true
	case h.unread != (Skips{}):
	case string(role) == "system":
		h.unread.System = 1
	case string(role) == "developer":
		h.unread.Developer = 1
	default:
		h.unread.Other = 1
	}
	return nil
}

// wanted reports whether messages of that role are read. "function" is the old name of
// the role "tool".
func (p *Parser) wanted(role []byte) bool {
	return slices.Contains(p.roles, string(role)) || slices.Contains(p.roles, AnyRole) ||
		string(role) == "function" && slices.Contains(p.roles, "tool")
}

// speaker returns the role of a speaker in ShareGPT. An unknown speaker is the model,
// which has many names there.
func speaker(from []byte) []byte {
	switch string(from) {
	case "human", "user":
		return []byte("user")
	case "system", "developer":
		return from
	case "tool", "function", "observation", "function_response":
		return []byte("tool")
	default:
		return []byte("assistant")
	}
}

// content reads a message's content: text, or a list of parts, of which those with a
// text are read.
func (p *Parser) content() error {
	if p.d.PeekKind() != '[' {
		return p.text()
	}
	return p.elements(func() error {
		if p.d.PeekKind() != '{' {
			return p.texts()
		}
		return p.members(func(name []byte) error {
			if string(name) == "text" || string(name) == "refusal" {
				return p.text()
			}
			return p.d.SkipValue()
		})
	})
}

// calls reads the tool calls of a message.
func (p *Parser) calls() error {
	if p.d.PeekKind() != '[' {
		return p.d.SkipValue()
	}
	return p.elements(func() error {
		if p.d.PeekKind() != '{' {
			return p.d.SkipValue()
		}
		return p.members(func(name []byte) error {
			if string(name) == "function" || string(name) == "custom" {
				return p.call()
			}
			return p.d.SkipValue()
		})
	})
}

// call reads the arguments of one call: JSON text in a string, or an object, whose JSON
// text is read.
func (p *Parser) call() error {
	if p.d.PeekKind() != '{' {
		return p.d.SkipValue()
	}
	return p.members(func(name []byte) error {
		if string(name) == "arguments" || string(name) == "input" {
			return p.text()
		}
		return p.d.SkipValue()
	})
}
