package corpus

// DefaultRoles are the roles whose messages are read unless others are named: all but
// those that every record repeats. A minus in front of a role leaves it out.
func DefaultRoles() []string { return []string{AnyRole, "-system", "-developer"} }

// AnyRole in a list of roles means every role.
const AnyRole = "*"

// same reports whether a role is the one that was named, or another name of it.
func same(named, role string) bool { return named == role || named == speaker(role) }

// speaker returns the usual name of a role, empty if the role is unusual.
func speaker(role string) string {
	switch role {
	case "user", "human", "prompter":
		return "user"
	case "assistant", "gpt", "model", "bot", "chatbot", "ai", "chatgpt", "function_call":
		return "assistant"
	case "tool", "function", "observation", "function_response", "tool_response", "ipython":
		return "tool"
	case "system", "developer":
		return role
	default:
		return ""
	}
}
