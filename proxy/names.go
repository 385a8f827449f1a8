package proxy

import (
	"regexp"
	"slices"
	"strings"

	"noecho/proxy/config"
	"noecho/proxy/wire"
)

// A name out of an answer, or of a path that is not open, may be text that a model wrote or
// that a caller sent. Logs, metrics, alerts and errors have it only if it is the name of an
// API or of the configuration. Any other name becomes a hash, which tells equal names.

// hiddenName returns the hash of a name: ~ and eight hexadecimal digits, under the key of
// principals.
func hiddenName(key []byte, name string) string { return "~" + keyedHex(key, []byte(name))[:8] }

// channelParts are the parts of names of channels that are no names of members.
var channelParts = []string{"[]", "*", "keys", "again", "numbers", "lines", "framing", "comment", "retry"}

// channelName returns the name of a channel as alerts have it: names of members that
// neither the family nor the configuration knows are hashes.
func channelName(key []byte, family *wire.Family, printed []string, channel string) string {
	parts := strings.Split(channel, ".")
	for i, s := range parts {
		if !family.Knows(s) && !shortNumber(s) && !slices.Contains(channelParts, s) && !slices.Contains(printed, s) {
			parts[i] = hiddenName(key, s)
		}
	}
	return strings.Join(parts, ".")
}

// shortNumber reports whether a part of a name is the number of a choice, item or element:
// the numbers of honest answers have at most three digits.
func shortNumber(s string) bool {
	return len(s) <= len("999") && !strings.ContainsFunc(s, func(c rune) bool { return c < '0' || c > '9' })
}

// objects are the segments of routes that are ids of objects, which servers give.
var objects = []string{"{id}", "{item}", "{thread}", "{message}", "{run}", "{step}", "{file}", "{batch}", "{conversation}"}

// openPath returns the path of a request as alerts have it: ids that no digit is in are
// hashes. pattern is that of the route.
func openPath(key []byte, pattern, path string) string {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return path
	}
	for i := 1; i < len(got); i++ {
		if slices.Contains(objects, want[i]) && want[i-1] != "model" && !strings.ContainsAny(got[i], "0123456789") {
			got[i] = hiddenName(key, got[i])
		}
	}
	return strings.Join(got, "/")
}

// modelName returns the name of a model as alerts have it. Callers write it; no name of a
// model comes from an answer.
func modelName(key []byte, name string) string {
	if !plainModel(name) {
		return hiddenName(key, name)
	}
	return name
}

// plainModel reports whether a name is short enough for a model, and has no spaces.
func plainModel(name string) bool {
	const longest = 128
	return len(name) <= longest && !strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '"' || c == '\\' })
}

// commonSegments are segments of paths that many APIs and their tools have, besides those of
// the routes.
const commonSegments = "admin api apis assistants batches beta cancel chats collections config configs content count_tokens " +
	"dashboard datasets engines evals favicon.ico feedback files graph graphql history index.html inference jobs key keys list " +
	"login logs mcp me messages oauth organization organizations predict predictions projects proxy public query ready robots.txt " +
	"search services settings sse startup static stats status stream swagger team test threads tokens uploads usage user users " +
	"vector_stores videos web ws"

// pathSegments returns the segments of paths that logs, metrics and errors may have: of the
// tables of paths, of the given routes and of many APIs.
func pathSegments(routes []config.Route) map[string]bool {
	known := map[string]bool{}
	add := func(paths ...string) {
		for _, p := range paths {
			for s := range strings.SplitSeq(p, "/") {
				known[s] = true
				known[s[strings.LastIndexByte(s, ':')+1:]] = true // of {model}:generateContent
			}
		}
	}
	for _, row := range catalogue {
		add(row.paths...)
	}
	for _, row := range passTable {
		add(row.paths...)
	}
	for _, row := range closedTable {
		add(row.paths...)
	}
	for _, r := range routes {
		add(r.Path)
	}
	add(strings.Fields(commonSegments)...)
	return known
}

// otherPath is the name of the paths that have none of their own.
const otherPath = "other"

// version matches the segment of a path that names the version of an API.
var version = regexp.MustCompile(`^v[0-9]{1,2}((alpha|beta)[0-9]?)?$`)

// pathName returns the name of a path that is not open: {id} in the place of segments that
// look like the id of one object, hashes of other segments that are not known, and otherPath
// for a path that is too long or not plain.
func pathName(key []byte, known map[string]bool, path string) string {
	const longest, longestName = 128, 16
	if len(path) > longest || !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, func(c rune) bool {
		return (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("/._~:@+=,-", c)
	}) {
		return otherPath
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		name, verb, _ := strings.Cut(s, ":")
		switch {
		case known[s], version.MatchString(s):
		case len(s) >= longestName && strings.ContainsAny(s, "0123456789"):
			segments[i] = "{id}"
		case known[verb] && verb != "":
			segments[i] = hiddenName(key, name) + ":" + verb
		default:
			segments[i] = hiddenName(key, s)
		}
	}
	return strings.Join(segments, "/")
}
