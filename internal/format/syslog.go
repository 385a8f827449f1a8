package format

import (
	"bytes"
	"os"
	"strconv"

	"noecho/proxy/alert"
)

// auditFacility is the facility "log audit" of syslog.
const auditFacility = 13

// Syslog returns an encoder of messages of syslog as RFC 5424 describes them, with the text that
// inner makes. The structured data has the number of the event, of which a server may see
// whether one is missing.
func Syslog(inner Encode) Encode {
	process := strconv.Itoa(os.Getpid())
	return func(dst []byte, ev *alert.Event) []byte {
		level := map[alert.Severity]int{alert.Low: 6, alert.Medium: 4, alert.High: 3, alert.Critical: 2}[ev.Severity]
		dst = append(dst, '<')
		dst = strconv.AppendInt(dst, int64(auditFacility*8+level), 10)
		dst = append(dst, ">1 "...)
		dst = ev.Time.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z")
		dst = append(dst, ' ')
		dst = appendName(dst, ev.Instance, 255)
		dst = append(dst, " noecho "+process+" "...)
		dst = appendName(dst, string(ev.Type), 32)
		const maxSequence = 1<<31 - 1 // it begins again behind
		dst = append(dst, ` [meta sequenceId="`...)
		dst = strconv.AppendUint(dst, (ev.Seq-1)%maxSequence+1, 10)
		dst = append(dst, `"] `...)
		return append(bytes.TrimSuffix(inner(dst, ev), []byte("\n")), '\n')
	}
}

// appendName appends a field of a head, which has no spaces and no characters but those of ASCII
// that can be seen.
func appendName(dst []byte, s string, longest int) []byte {
	if s == "" {
		return append(dst, '-')
	}
	for _, c := range []byte(s[:min(len(s), longest)]) {
		if c <= ' ' || c > '~' {
			c = '_'
		}
		dst = append(dst, c)
	}
	return dst
}
