package identify

import (
	"bytes"
	"math"
)

// Keys: access keys, tokens and other random strings. Behind a known prefix the rest
// has to look random; a token without a prefix has to look random over its whole
// length. Frequent changes between letters and digits distinguish random strings from
// words, names of variables and numbers.

// Bounds of tokens in bytes.
const (
	keyLeast = 16
	rawLeast = 24 // of those without a known prefix
	keyMost  = 512
)

// keyPrefixes are the prefixes by which issuers mark their secrets, with the least
// number of bytes that follow.
var keyPrefixes = []struct {
	prefix string
	rest   int
	fixed  bool // exactly so many bytes follow, random or not
}{
	{"sk-", 20, false}, {"sk_live_", 16, false}, {"sk_test_", 16, false}, {"rk_live_", 16, false}, {"rk_test_", 16, false}, {"pk_live_", 16, false}, {"whsec_", 16, false}, // OpenAI, Anthropic, Stripe
	{"ghp_", 30, false}, {"gho_", 30, false}, {"ghu_", 30, false}, {"ghs_", 30, false}, {"ghr_", 30, false}, {"github_pat_", 20, false}, {"glpat-", 20, false}, // GitHub, GitLab
	{"AKIA", 16, true}, {"ASIA", 16, true}, {"AIza", 35, true}, // Amazon, Google
	{"xoxa-", 10, false}, {"xoxb-", 10, false}, {"xoxe-", 10, false}, {"xoxo-", 10, false}, {"xoxp-", 10, false}, {"xoxr-", 10, false}, {"xoxs-", 10, false}, {"xapp-", 10, false}, // Slack
	{"hf_", 20, false}, {"npm_", 30, false}, {"pypi-", 30, false}, {"gsk_", 20, false}, {"r8_", 20, false}, {"dop_v1_", 32, false}, {"shpat_", 20, false},
}

// key returns the key in the token of letters, digits, dashes and underscores between
// lo and hi. A JWT goes on behind its dots.
func key(line []byte, lo, hi int) (from, to int, ok bool) {
	if escaped(line, lo) {
		lo++
	}
	for lo < hi && classes[line[lo]] == dash {
		lo++
	}
	for hi > lo && classes[line[hi-1]] == dash {
		hi--
	}
	if hi-lo < keyLeast || hi-lo > keyMost || lo > 0 && line[lo-1] >= 0x80 && wordBefore(line, lo) {
		return 0, 0, false
	}
	token := line[lo:hi]
	if bytes.HasPrefix(token, []byte("eyJ")) {
		if end := jwtEnd(line, hi); end > hi {
			return lo, end, true
		}
	}
	for _, p := range keyPrefixes {
		rest, found := bytes.CutPrefix(token, []byte(p.prefix))
		if found && len(rest) >= p.rest && (p.fixed && len(rest) == p.rest || mixed(rest) >= 0.2 && (digitsIn(rest) > 0 || mixed(rest) >= 0.3)) {
			return lo, hi, true
		}
	}
	if len(token) >= rawLeast && random(token) || len(token) >= keyLeast && secretBefore(line, lo) && mixed(token) >= 0.2 && digitsIn(token) >= 2 {
		return lo, hi, true
	}
	return 0, 0, false
}

// jwtEnd returns the end of the second and third part of a JSON web token whose
// first part ends at hi.
func jwtEnd(line []byte, hi int) int {
	for range 2 {
		if hi >= len(line) || line[hi] != '.' {
			return 0
		}
		end := hi + 1
		for end < len(line) && (isAlnum(line[end]) || classes[line[end]] == dash) {
			end++
		}
		if end-hi < 8 {
			return 0
		}
		hi = end
	}
	return hi
}

// random reports whether a token looks random. Digests and other hexadecimal numbers
// look random too, but are often public: they count only behind a word such as
// "secret".
func random(token []byte) bool {
	if bytes.IndexFunc(token, func(r rune) bool { return !isHex(byte(r)) && r != '-' }) < 0 {
		return false
	}
	return digitsIn(token) >= 3 && mixed(token) >= 0.3 && entropy(token) >= 3.7 && longestRun(token) <= 8
}

// mixed returns the share of neighbours in a token that are of different sorts: small
// letter, capital, digit. A capital before a small letter is not counted, because words
// begin so. The share is 0.46 on average in random letters and digits, 0.4 without
// capitals, and seldom above 0.25 in names that are made of words.
func mixed(token []byte) float64 {
	changes := 0
	for i := 1; i < len(token); i++ {
		a, b := sortOf(token[i-1]), sortOf(token[i])
		if a != b && (a != 2 || b != 1) && classes[token[i]] != dash && classes[token[i-1]] != dash {
			changes++
		}
	}
	return float64(changes) / float64(max(1, len(token)-1))
}

// sortOf returns the sort of a character: small letter, capital, digit or other.
func sortOf(c byte) int {
	switch {
	case c >= 'a' && c <= 'z':
		return 1
	case c >= 'A' && c <= 'Z':
		return 2
	case isDigit(c):
		return 3
	default:
		return 0
	}
}

// longestRun returns the length of the longest run of one sort.
func longestRun(token []byte) (most int) {
	n := 0
	for i := range token {
		if n++; i > 0 && sortOf(token[i]) != sortOf(token[i-1]) {
			n = 1
		}
		most = max(most, n)
	}
	return most
}

// entropy is the Shannon entropy of the bytes of a token, in bits per byte.
func entropy(token []byte) (bits float64) {
	var count [256]int
	for _, c := range token {
		count[c]++
	}
	for _, n := range count {
		if n > 0 {
			p := float64(n) / float64(len(token))
			bits -= p * math.Log2(p)
		}
	}
	return bits
}

func digitsIn(token []byte) (n int) {
	for _, c := range token {
		if isDigit(c) {
			n++
		}
	}
	return n
}

func isHex(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// secrets are words in front of a secret that announce it.
var secrets = [][]byte{[]byte("key"), []byte("token"), []byte("secret"), []byte("bearer"), []byte("password"), []byte("passwd"), []byte("apikey")}

// secretBefore reports whether one of them is right before byte i.
func secretBefore(line []byte, i int) bool {
	before := bytes.ToLower(line[max(0, i-24):i])
	before = bytes.TrimRight(before, " :=\"'`>\\")
	before = bytes.TrimSuffix(before, []byte(" is"))
	for _, s := range secrets {
		if bytes.HasSuffix(before, s) {
			return true
		}
	}
	return false
}
