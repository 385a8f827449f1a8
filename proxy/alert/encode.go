package alert

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// timeLayout is RFC 3339 with all nine digits, so that lines sort as text.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

// AppendLine appends the event as one line of JSON, its end included. The members of a
// line and their order depend on its type alone.
func AppendLine(dst []byte, ev *Event) []byte {
	w := object{buf: append(dst, '{')}
	w.num("v", int64(ev.V))
	w.str("type", string(ev.Type))
	w.str("id", ev.ID)
	w.uint("seq", ev.Seq)
	w.str("boot", ev.Boot)
	w.time("time", ev.Time)
	w.str("severity", string(ev.Severity))
	switch ev.Type {
	case TypeFinding, TypeUnscanned, TypeProbing, TypeDrip:
		w.aboutRequest(ev)
	default:
		w.aboutProcess(ev)
	}
	w.str("instance", ev.Instance)
	return append(w.buf, '}', '\n')
}

// aboutRequest appends the members of an event about an answer, from action on.
func (w *object) aboutRequest(ev *Event) {
	w.str("action", string(ev.Action))
	w.request(ev)
	switch ev.Type {
	case TypeFinding:
		w.span(ev)
		w.index(ev.Index)
		w.uint("suppressed", ev.Suppressed)
		w.caller(ev)
		w.str("rule", ev.Rule)
		w.num("record_count", int64(ev.RecordCount))
		w.name("signal")
		w.buf = appendStrings(w.buf, ev.Signal)
		if len(ev.Channels) > 1 {
			w.strs("channels", ev.Channels)
		}
	case TypeUnscanned:
		w.index(ev.Index)
		w.str("reason", ev.Reason)
		w.num("bytes", ev.Bytes)
		w.caller(ev)
	case TypeProbing:
		w.index(ev.Index)
		w.num("findings", int64(ev.Findings))
		w.num("probes", int64(ev.Probes))
		w.num("period", ev.Period)
		w.caller(ev)
	case TypeDrip:
		w.num("words", int64(ev.Words))
		w.num("record_words", int64(ev.RecordWords))
		w.num("requests", int64(ev.Requests))
		w.flag("several", ev.Several)
		w.num("period", ev.Period)
		w.records(ev.Records)
		w.index(ev.Index)
		w.caller(ev)
	}
}

// aboutProcess appends the members of any other event, behind severity.
func (w *object) aboutProcess(ev *Event) {
	switch ev.Type {
	case TypeGap:
		w.str("reason", ev.Reason)
		w.str("sink", ev.Sink)
		w.uint("lost", ev.Lost)
		w.uint("first", ev.first())
		w.uint("last", ev.Seq)
		w.time("since", ev.Since)
	case TypeDigest:
		w.uint("first", ev.First)
		w.uint("last", ev.Seq-1)
		w.uint("lines", ev.Lines)
		appendCounts(w, "counts", ev.Counts)
		w.str("sha256", ev.SHA256)
	case TypeTally:
		w.str("mode", ev.Mode)
		w.index(ev.Index)
		w.time("since", ev.Since)
		w.num("period", ev.Period)
		w.answers(ev.Answers)
		appendCounts(w, "body_bytes", ev.Fates)
	case TypeAccess:
		w.str("action", string(ev.Action))
		w.str("user", ev.User)
		w.str("client", ev.Client)
		w.str("path", ev.Path)
		w.str("reason", ev.Reason)
	default: // start, stop, reload, model_mismatch
		w.str("action", string(ev.Action))
		w.str("mode", ev.Mode)
		w.index(ev.Index)
		w.str("reason", ev.Reason)
		w.str("version", ev.Build)
	}
}

// object appends the members of a JSON object. Their names are literals that need no
// escaping.
type object struct{ buf []byte }

func (w *object) name(name string) {
	if w.buf[len(w.buf)-1] != '{' {
		w.buf = append(w.buf, ',')
	}
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, name...)
	w.buf = append(w.buf, '"', ':')
}

func (w *object) str(name, s string) {
	w.name(name)
	w.buf = appendString(w.buf, s)
}

func (w *object) num(name string, n int64) {
	w.name(name)
	w.buf = strconv.AppendInt(w.buf, n, 10)
}

func (w *object) uint(name string, n uint64) {
	w.name(name)
	w.buf = strconv.AppendUint(w.buf, n, 10)
}

func (w *object) flag(name string, on bool) {
	w.name(name)
	w.buf = strconv.AppendBool(w.buf, on)
}

func (w *object) time(name string, t time.Time) {
	w.name(name)
	w.buf = append(w.buf, '"')
	w.buf = t.UTC().AppendFormat(w.buf, timeLayout)
	w.buf = append(w.buf, '"')
}

// request appends the members that describe the request, and the channel of its answer.
func (w *object) request(ev *Event) {
	w.str("mode", ev.Mode)
	w.str("route", ev.Route)
	w.str("api", ev.API)
	w.str("path", ev.Path)
	w.str("model", ev.Model)
	w.flag("stream", ev.Stream)
	w.str("request_id", ev.RequestID)
	w.str("client", ev.Client)
	w.str("principal", ev.Principal)
	w.str("channel", ev.Channel)
}

// caller appends the members that say more of the caller.
func (w *object) caller(ev *Event) {
	w.str("user", ev.User)
	w.str("forwarded", ev.Forwarded)
	w.str("traceparent", ev.Traceparent)
}

func (w *object) answers(list []Answers) {
	w.name("answers")
	w.buf = append(w.buf, '[')
	for i, a := range list {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		w.buf = append(w.buf, '{')
		w.str("route", a.Route)
		appendCounts(w, "actions", a.Actions)
		w.buf = append(w.buf, '}')
	}
	w.buf = append(w.buf, ']')
}

// appendCounts appends numbers by name.
func appendCounts[K ~string, N int64 | uint64](w *object, name string, counts map[K]N) {
	w.name(name)
	w.buf = append(w.buf, '{')
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		w.uint(string(k), uint64(counts[k]))
	}
	w.buf = append(w.buf, '}')
}

// span appends the members that describe a finding. Lists are never null.
func (w *object) span(ev *Event) {
	w.str("kind", string(ev.Kind))
	lane := ev.Lane
	if lane == "" {
		lane = LanePlain
	}
	w.str("lane", lane)
	w.str("identifier", ev.Identifier)
	w.num("start", ev.Start)
	w.num("end", ev.End)
	w.num("words", int64(ev.Words))
	w.num("windows", int64(ev.Windows))
	w.flag("resumed", ev.Resumed)
	w.name("digests")
	w.buf = append(w.buf, '[')
	for i, d := range ev.Digests {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		w.buf = append(w.buf, '"')
		w.buf = d.append(w.buf)
		w.buf = append(w.buf, '"')
	}
	w.buf = append(w.buf, ']')
	w.records(ev.Records)
}

func (w *object) records(records []Record) {
	w.name("records")
	w.buf = append(w.buf, '[')
	for i, r := range records {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		w.record(r)
	}
	w.buf = append(w.buf, ']')
}

func (w *object) record(r Record) {
	w.buf = append(w.buf, '{')
	w.str("id", r.ID)
	w.str("dataset", r.Dataset)
	w.strs("labels", r.Labels[:min(len(r.Labels), MaxRecords)])
	w.buf = append(w.buf, '}')
}

func (w *object) strs(name string, list []string) {
	w.name(name)
	w.buf = appendStrings(w.buf, list)
}

// appendStrings appends a list of strings.
func appendStrings[T ~string](dst []byte, list []T) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, string(s))
	}
	return append(dst, ']')
}

func (w *object) index(x Index) {
	w.name("index")
	w.buf = append(w.buf, '{')
	w.str("build_id", x.BuildID)
	w.uint("generation", x.Generation)
	w.buf = append(w.buf, '}')
}

// appendString appends s as a JSON string of at most MaxString bytes of text. It escapes
// the characters that could end a line, steer a terminal or hide text: controls, line and
// paragraph separators, and format characters such as bidirectional overrides. A byte
// that is not UTF-8 becomes U+FFFD, because JSON cannot write it.
func appendString(dst []byte, s string) []byte {
	s, cut := clip(s)
	dst = append(dst, '"')
	plain := 0 // s[plain:i] needs no escape
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if !escaped(r, size) {
			i += size
			continue
		}
		dst = append(dst, s[plain:i]...)
		dst = appendEscape(dst, r)
		i += size
		plain = i
	}
	dst = append(dst, s[plain:]...)
	return append(append(dst, cut...), '"')
}

// AppendJSON appends a value as one line of JSON, its end included, with the same characters
// escaped as in a line of an event. It panics if the value cannot be written as JSON.
func AppendJSON(dst []byte, v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("alert: internal error: " + err.Error())
	}
	text := b.Bytes()
	for i := 0; i < len(text)-1; { // the line's end apart
		r, size := utf8.DecodeRune(text[i:])
		if r >= 0x7f && escaped(r, size) {
			dst = appendEscape(dst, r)
		} else {
			dst = append(dst, text[i:i+size]...)
		}
		i += size
	}
	return append(dst, '\n')
}

// escaped reports whether a rune that was read from size bytes needs an escape.
func escaped(r rune, size int) bool {
	switch {
	case r == '"' || r == '\\' || r < 0x20:
		return true
	case r < 0x7f:
		return false
	case r == utf8.RuneError && size == 1:
		return true
	default:
		return r <= 0x9f || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Cf, r)
	}
}

func appendEscape(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	if r > 0xffff {
		r -= 0x10000
		return appendUnit(appendUnit(dst, 0xd800+r>>10), 0xdc00+r&0x3ff)
	}
	return appendUnit(dst, r)
}

// appendUnit appends one UTF-16 code unit as \uXXXX.
func appendUnit(dst []byte, u rune) []byte {
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', digits[u>>12&15], digits[u>>8&15], digits[u>>4&15], digits[u&15])
}

// ellipsis ends a string that was cut.
const ellipsis = "…"

// clip cuts a string that is too long, at the start of a character. tail is the mark to
// write after head: an ellipsis if the string was cut, else nothing.
func clip(s string) (head, tail string) {
	if len(s) <= MaxString {
		return s, ""
	}
	n := MaxString - len(ellipsis)
	for n > MaxString-len(ellipsis)-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n], ellipsis
}
