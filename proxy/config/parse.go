package config

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"noecho/detect"
)

// ParseMode reads the name of a mode, the action for training text in an answer.
func ParseMode(s string) (detect.Action, error) {
	return named(detect.Redact, detect.Block, detect.Observe)(s)
}

// ParseLogLevel reads the name of a level.
func ParseLogLevel(s string) (LogLevel, error) {
	return named(LogDebug, LogInfo, LogWarn, LogError)(s)
}

// named returns a parser for one of a few values, each written by its name.
func named[T fmt.Stringer](values ...T) func(string) (T, error) {
	return func(s string) (T, error) {
		names := make([]string, len(values))
		for i, v := range values {
			if names[i] = v.String(); names[i] == s {
				return v, nil
			}
		}
		var none T
		return none, &wordError{s, names}
	}
}

// parseExtent reads an extent: how much of an answer is removed with a redacted finding.
func parseExtent(s string) (detect.Extent, error) {
	return named(detect.ExtentSpan, detect.ExtentSentence, detect.ExtentRest)(s)
}

// parseSocket returns the path of a socket in an address such as unix:/run/noecho.sock, and
// whether it is one.
func parseSocket(s string) (name string, ok bool, err error) {
	name, ok = strings.CutPrefix(s, "unix:")
	if ok && (!path.IsAbs(name) || path.Clean(name) != name) {
		err = fmt.Errorf("%q is not a socket: write unix: and its whole path, such as unix:/run/noecho/data.sock", s)
	}
	return name, ok, err
}

// ParseUpstream reads an upstream's URL: scheme, host and optional path prefix; or unix: and the
// path of a socket.
func ParseUpstream(s string) (*url.URL, error) {
	if name, ok, err := parseSocket(s); ok {
		return &url.URL{Scheme: "unix", Path: name, OmitHost: true}, err
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Opaque != "":
		return nil, fmt.Errorf("%q is not a URL: write http://host:port or https://host", s)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%q must begin with http:// or https://", s)
	case u.Hostname() == "":
		return nil, fmt.Errorf("%q names no host", s)
	case u.User != nil:
		return nil, fmt.Errorf("it must not carry a user name or password: callers send their own credentials")
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return nil, fmt.Errorf("%q must end with its path: a query or fragment has no meaning here", s)
	case u.RawPath != "" || strings.Contains(u.Path, "//") || path.Clean("/"+u.Path) != "/"+strings.Trim(u.Path, "/"):
		return nil, fmt.Errorf("%q has a path that is not plain: write it without escapes, double slashes or dot segments", s)
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return nil, fmt.Errorf("%q has no usable port", s)
		}
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimRight(u.Path, "/")}, nil
}

// parseCollector reads the address of a collector of OpenTelemetry. Without a path it gets the
// usual one.
func parseCollector(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return "", fmt.Errorf("%q is no address of a collector: write http://host:4318 or https://host, and keep secrets in token_file", s)
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/v1/traces"
	}
	return u.String(), nil
}

// parseSample reads the share of the traces that are sampled.
func parseSample(s string) (float64, error) {
	share, err := parseShare(s)
	if err != nil {
		err = fmt.Errorf("%q is not a share of the traces: write 1%% to 100%%", s)
	}
	return share, err
}

// ParseListen checks an address to listen on.
func ParseListen(s string) (string, error) {
	if _, ok, err := parseSocket(s); ok {
		return s, err
	}
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", fmt.Errorf("%q is not an address: write host:port, for example 127.0.0.1:8711", s)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "", fmt.Errorf("%q has no usable port: write a number up to 65535", s)
	}
	return s, nil
}

// ParseSize reads a number of bytes: 4096, 64KiB, 16MiB, 2GiB.
func ParseSize(s string) (int64, error) {
	units := [...]struct {
		suffix string
		factor int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"", 1}}
	for _, u := range units {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > (1<<62)/u.factor {
			break
		}
		return n * u.factor, nil
	}
	return 0, fmt.Errorf("%q is not a size: write a number of bytes, or 64KiB, 16MiB, 2GiB", s)
}

// parseCounter reads the counter of a signed index.
func parseCounter(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is not a counter: write a whole number from 1 on", s)
	}
	return n, nil
}

// parseDigest reads the digest of a model.
func parseDigest(s string) (string, error) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) < 16 || hex.EncodeToString(raw) != s {
		return "", fmt.Errorf("%q is not a digest: write hexadecimal digits in lower case, such as sha256sum prints", s)
	}
	return s, nil
}

// ParseDuration reads a time span: 500ms, 30s, 5m, 1h.
func ParseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a time span: write 500ms, 30s, 5m or 1h", s)
	}
	return d, nil
}

// ParseFileMode reads the permissions of a file, in octal digits: 0640, 0644.
func ParseFileMode(s string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil || n == 0 || n > 0o777 {
		return 0, fmt.Errorf("%q is not the mode of a file: write octal digits such as 0640 or 0644", s)
	}
	return fs.FileMode(n), nil
}

// wordError is the error of a value that is none of the allowed words.
type wordError struct {
	got   string
	words []string
}

func (e *wordError) Error() string {
	return fmt.Sprintf("%q is none of %s%s", e.got, strings.Join(e.words, ", "), didYouMean(e.got, e.words))
}

// didYouMean returns a hint that names the closest of the words, or nothing.
func didYouMean(got string, words []string) string {
	if best := Closest(got, words); best != "" {
		return fmt.Sprintf(" (did you mean %q?)", best)
	}
	return ""
}

// Closest returns the word of which got is probably a misspelling, or nothing.
func Closest(got string, words []string) string {
	best, bestDistance := "", 3
	for _, w := range words {
		if d := editDistance(got, w); d < bestDistance && d < len(w) {
			best, bestDistance = w, d
		}
	}
	return best
}

// editDistance returns the Damerau-Levenshtein distance (adjacent swaps count one), or a
// large number if a string is too long to be a typing error.
func editDistance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return longest
	}
	var two, one, now [longest + 1]int
	for j := range len(b) + 1 {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(one[j]+1, now[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], two[j-2]+1)
			}
		}
		two, one = one, now
	}
	return one[len(b)]
}
