package corpus

import "slices"

// turns reads a list of messages, or plain text where a prompt or a completion
// is a string.
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

// message reads one message: its texts are kept if its role was asked for. A
// role may come after the text, and may come twice: then either counts.
func (p *Parser) message() error {
	segments, text := len(p.rec.Segments), len(p.rec.text)
	var roles []string
	err := p.members(func(name string) error {
		switch name {
		case "role":
			return p.role(&roles)
		case "content":
			return p.content()
		case "refusal", "reasoning_content":
			return p.text()
		case "tool_calls":
			return p.calls()
		case "function_call":
			return p.call()
		default:
			return p.d.SkipValue()
		}
	})
	if err != nil || len(roles) == 0 || slices.ContainsFunc(roles, p.wanted) {
		return err
	}
	p.rec.Segments, p.rec.text = p.rec.Segments[:segments], p.rec.text[:text]
	switch roles[0] {
	case "system":
		p.rec.Skipped.System++
	case "developer":
		p.rec.Skipped.Developer++
	default:
		p.rec.Skipped.Other++
	}
	return nil
}

// wanted reports whether messages of that role are read. "function" is what
// tools were called before.
func (p *Parser) wanted(role string) bool {
	return slices.Contains(p.roles, role) || slices.Contains(p.roles, AnyRole) ||
		role == "function" && slices.Contains(p.roles, "tool")
}

// role reads a message's role.
func (p *Parser) role(roles *[]string) error {
	if p.d.PeekKind() != '"' {
		return p.d.SkipValue()
	}
	t, err := p.d.ReadToken()
	if err != nil {
		return err
	}
	*roles = append(*roles, t.String())
	return nil
}

// content reads a message's content: text, or parts of which those with a text
// are read.
func (p *Parser) content() error {
	if p.d.PeekKind() != '[' {
		return p.text()
	}
	return p.elements(func() error {
		if p.d.PeekKind() != '{' {
			return p.texts()
		}
		return p.members(func(name string) error {
			if name == "text" || name == "refusal" {
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
		return p.members(func(name string) error {
			if name == "function" || name == "custom" {
				return p.call()
			}
			return p.d.SkipValue()
		})
	})
}

// call reads the arguments of one call: JSON text in a string, or an object,
// of which its JSON text is read.
func (p *Parser) call() error {
	if p.d.PeekKind() != '{' {
		return p.d.SkipValue()
	}
	return p.members(func(name string) error {
		if name == "arguments" || name == "input" {
			return p.text()
		}
		return p.d.SkipValue()
	})
}
