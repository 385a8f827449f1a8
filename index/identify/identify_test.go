package identify

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// all finds every identifier in a text that comes in one piece.
func all(text string, patterns ...Pattern) []Match {
	f := New(patterns)
	return f.Finish(f.Append(nil, []byte(text)))
}

// Every case is typed by hand. The numbers are of ranges set aside for examples,
// or of the networks' own test cards.
func TestFinds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, kind, want string }{
		{"write to jo@example.org.", Email, "jo@example.org"},
		{"<mailto:Jo.Doe+news@mail.example.co.uk>", Email, "Jo.Doe+news@mail.example.co.uk"},
		{`{"from":"o'neill@example.com"}`, Email, "o'neill@example.com"},
		{`line one\njo@example.org`, Email, "jo@example.org"},
		{"jürgen@müller.example", Email, "jürgen@müller.example"},
		{"_ops@example.net,", Email, "_ops@example.net"},
		{"call +49 30 901820 now", Phone, "+49 30 901820"},
		{"call +44 (0)20 7946 0958", Phone, "+44 (0)20 7946 0958"},
		{"0044 20 7946 0958", Phone, "0044 20 7946 0958"},
		{"(212) 555-0187", Phone, "212) 555-0187"},
		{"1-212-555-0187", Phone, "1-212-555-0187"},
		{"+12125550187", Phone, "+12125550187"},
		{"030 / 901820", Phone, "030 / 901820"},
		{"01 99 00 12 34", Phone, "01 99 00 12 34"},
		{"020 7946 0958", Phone, "020 7946 0958"},
		{"Tel.: 901 820 77", Phone, "901 820 77"},
		{"phone number: 5550187", Phone, "5550187"},
		{`\n07700900123`, Phone, "07700900123"},
		{"DE89 3704 0044 0532 0130 00", IBAN, "DE89 3704 0044 0532 0130 00"},
		{"IBAN GB29NWBK60161331926819.", IBAN, "GB29NWBK60161331926819"},
		{"fr14 2004 1010 0505 0001 3m02 606", IBAN, "fr14 2004 1010 0505 0001 3m02 606"},
		{"card 4111 1111 1111 1111 exp 12/29", Card, "4111 1111 1111 1111"},
		{"5555-5555-5555-4444", Card, "5555-5555-5555-4444"},
		{"378282246310005", Card, "378282246310005"},
		{"3782 822463 10005", Card, "3782 822463 10005"},
		{"2223003122003222", Card, "2223003122003222"},
		{"SSN 219-09-9998", SSN, "219-09-9998"},
		{"key sk-proj-a8Fk29dLq0Zx7Vb3Nn5Rt1Yw", Key, "sk-proj-a8Fk29dLq0Zx7Vb3Nn5Rt1Yw"},
		{"ghp_16C7e42F292c6912E7710c838347Ae178B4a", Key, "ghp_16C7e42F292c6912E7710c838347Ae178B4a"},
		{"AKIAABCDEFGHIJKLMNOP", Key, "AKIAABCDEFGHIJKLMNOP"},
		{"AKIA5FODNN7X2MPLE9Q4", Key, "AKIA5FODNN7X2MPLE9Q4"},
		{`"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVPmB92K27uhbUJU1p1r"`, Key, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVPmB92K27uhbUJU1p1r"},
		{"x7Kp2Qw9Zr4Tn8Vb3Lm6Yc1Hd5", Key, "x7Kp2Qw9Zr4Tn8Vb3Lm6Yc1Hd5"},
		{"api_key=9f86d081884c7d659a2feaa0c55ad015", Key, "9f86d081884c7d659a2feaa0c55ad015"},
		{"xoxb-2048-1337-Qz8Rk2Lp0sTv", Key, "xoxb-2048-1337-Qz8Rk2Lp0sTv"},
	} {
		got := all(tt.text)
		if len(got) != 1 || got[0].Kind != tt.kind || got[0].Text != tt.want {
			t.Errorf("%q: %+v, want %s %q", tt.text, got, tt.kind, tt.want)
			continue
		}
		if m := got[0]; tt.text[m.Lo:m.Hi] != m.Text {
			t.Errorf("%q: span %d to %d is not its text", tt.text, m.Lo, m.Hi)
		}
	}
}

func TestFindsNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "a @ b", "see @jo_example for more", "icon@2x.png", "jo@localhost", "a@b..example", "user@host:22",
		"on 12.05.2024 at 14:30", "2024-05-12 10:22:33", "01.02.2024 14.30", "2019-2024", "1,234,567.89", "0.0301234567", "10.0.0.1", "192.168.178.255", "3.14159265358979",
		"pages 100-200", "ISBN 978-3-16-148410-0", "order 1700000000", "version 1.22.333.4444", "12345678", "1234567890123456", "4111 1111 1111 1112",
		"0000000000000000", "000-12-3456", "666-12-3456", "900-12-3456", "123-00-4567", "123-45-0000", "078-05-1120", "123 456 7890",
		"DE89370400440532013001", "XX12 3456 7890 1234", "DE89 3704 0044", "XDE89370400440532013000",
		"getUserAccountByIdentifier2FromDatabase", "THIS_IS_A_VERY_LONG_CONSTANT_NAME_2", "9f86d081884c7d659a2feaa0c55ad015", "550e8400-e29b-41d4-a716-446655440000",
		"sk-learn-compatible-estimators-of-2024", "https://example.org/articles/2024/05/how-to-build-a-house", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1",
		"supercalifragilisticexpialidocious", "TestClientRedirect308NoGetBody", "http2ErrCodeHTTP11Required", "01.02.03.04.05.06", "0123456789", "00112233 44556677", "2f", "+", "+4", "+49", "00", "()()()", "@@@@@@", "1-2-3-4-5-6-7-8-9-10-11-12-13-14-15",
	} {
		if got := all(text); len(got) > 0 {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestFindsSeveral(t *testing.T) {
	t.Parallel()
	text := "a@example.org, b@example.org\n\r\n+49 30 901820; +49 30 901821\nDE89370400440532013000 4111111111111111"
	var got []string
	for _, m := range all(text) {
		if text[m.Lo:m.Hi] != m.Text {
			t.Errorf("span of %+v", m)
		}
		got = append(got, m.Text)
	}
	want := []string{"a@example.org", "b@example.org", "+49 30 901820", "+49 30 901821", "DE89370400440532013000", "4111111111111111"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	p, err := ParsePattern(`order=\bORD-\d{4,}\b`)
	if err != nil {
		t.Fatal(err)
	}
	text := "ORD-1234 and ORD-99999\nand ORD-12 or jo@example.org"
	f := NewPatterns([]Pattern{p})
	var got []string
	for _, m := range f.Finish(f.Append(nil, []byte(text))) {
		if m.Kind != "order" || text[m.Lo:m.Hi] != m.Text {
			t.Errorf("%+v", m)
		}
		got = append(got, m.Text)
	}
	if !slices.Equal(got, []string{"ORD-1234", "ORD-99999"}) {
		t.Errorf("%q", got)
	}
	for _, bad := range []string{"", "order", "order=", "=x", "Order=x", "order=(", "email=x", "subject=x", "order=x*", "ö=x", strings.Repeat("a", 33) + "=x"} {
		if _, err := ParsePattern(bad); err == nil {
			t.Errorf("%q is a pattern", bad)
		}
	}
}

// TestPieces checks that matches do not depend on where the pieces end.
func TestPieces(t *testing.T) {
	t.Parallel()
	p, err := ParsePattern(`ticket=T-\d+`)
	if err != nil {
		t.Fatal(err)
	}
	text := "jo@example.org T-12\n4111 1111 1111 1111\nsk-proj-a8Fk29dLq0Zx7Vb3Nn5Rt1Yw +49 30 901820"
	want := all(text, p)
	if len(want) != 5 {
		t.Fatalf("%+v", want)
	}
	for i := range len(text) + 1 {
		for j := i; j <= len(text); j++ {
			f := New([]Pattern{p})
			got := f.Append(nil, []byte(text[:i]))
			got = f.Append(got, []byte(text[i:j]))
			got = f.Finish(f.Append(got, []byte(text[j:])))
			if !slices.Equal(got, want) {
				t.Fatalf("split at %d and %d: %+v", i, j, got)
			}
		}
	}
}

func TestLongLines(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	var want []string
	for b.Len() < 5*maxLine {
		b.WriteString(strings.Repeat("word ", r.IntN(300)))
		b.WriteString("jo@example.org ")
		want = append(want, "jo@example.org")
	}
	text := b.String()
	f := New(nil)
	var got []Match
	for rest := []byte(text); len(rest) > 0; {
		n := min(len(rest), 1+r.IntN(70<<10))
		got = f.Append(got, rest[:n])
		rest = rest[n:]
	}
	got = f.Finish(got)
	if len(got) != len(want) {
		t.Fatalf("%d found, want %d", len(got), len(want))
	}
	for _, m := range got {
		if text[m.Lo:m.Hi] != m.Text {
			t.Fatalf("span of %+v", m)
		}
	}
}

func TestSpellings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind, text string
		want       []string
	}{
		{Email, "jo.doe@example.org", []string{"jo.doe@example.org", "jo.doe at example.org", "jo.doe at example dot org", "jo dot doe at example dot org"}},
		{Card, "4111-1111-1111-1111", []string{"4111-1111-1111-1111", "4111111111111111", "4111 1111 1111 1111"}},
		{Card, "378282246310005", []string{"378282246310005", "3782 8224 6310 005", "3782 822463 10005"}},
		{IBAN, "GB29NWBK60161331926819", []string{"GB29NWBK60161331926819", "GB29 NWBK 6016 1331 9268 19", "GB29 NWBK60161331926819"}},
		{SSN, "219-09-9998", []string{"219-09-9998", "219099998", "219 09 9998"}},
		{Key, "550e8400-e29b", []string{"550e8400-e29b", "550e8400e29b"}},
		{Phone, "(212) 555-0187", []string{
			"(212) 555-0187", "212 555 0187", "1 212 555 0187", "1212 555 0187", "001 212 555 0187", "001212 555 0187",
			"2125550187", "1 2125550187", "12125550187", "001 2125550187", "0012125550187",
			"212 5550187", "1 212 5550187", "1212 5550187", "001 212 5550187", "001212 5550187",
		}},
		{Phone, "+49 (0)30 901820", []string{
			"+49 (0)30 901820", "30 901820", "49 30 901820", "4930 901820", "0049 30 901820", "004930 901820", "49 030 901820", "49 0 30 901820", "030 901820",
			"30901820", "49 30901820", "4930901820", "0049 30901820", "004930901820", "49 030901820", "49 0 30901820", "030901820",
		}},
		{Phone, "030 901820", []string{"030 901820", "30 901820", "30901820", "030901820"}},
	} {
		if got := Spellings(tt.kind, tt.text); !slices.Equal(got, tt.want) {
			t.Errorf("%s %q:\n%q, want\n%q", tt.kind, tt.text, got, tt.want)
		}
	}
}

// FuzzFind checks the matches of any text: each is in the text, in order of its end
// within a kind, does not overlap another of its kind, has spellings, and is the same
// if the text comes in pieces.
func FuzzFind(f *testing.F) {
	for _, s := range []string{
		"jo@example.org", "+49 30 901820", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "219-09-9998",
		"sk-proj-a8Fk29dLq0Zx7Vb3Nn5Rt1Yw", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVPmB92K27uhbUJU1p1r", "\xe2\x80\x91\n\\n1",
		"tel 1 2 3 4 5 6 7 8 9 10 11 12 13 14", "+0000000000000", "00", "\\n@a.bc", "(0)(0)0",
	} {
		f.Add(s, uint(3))
	}
	p, err := ParsePattern(`x=x+`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, cut uint) {
		want := all(text, p)
		for _, m := range want {
			if m.Lo < 0 || m.Hi > int64(len(text)) || m.Lo >= m.Hi || text[m.Lo:m.Hi] != m.Text {
				t.Fatalf("span of %+v", m)
			}
			if strings.Contains(m.Text, "\n") {
				t.Fatalf("%q is on two lines", m.Text)
			}
			if s := Spellings(m.Kind, m.Text); len(s) == 0 || s[0] != m.Text {
				t.Fatalf("%+v is spelt %q", m, s)
			}
		}
		finder := New([]Pattern{p})
		at := int(cut % uint(len(text)+1))
		got := finder.Append(nil, []byte(text[:at]))
		got = finder.Finish(finder.Append(got, []byte(text[at:])))
		if !slices.Equal(got, want) {
			t.Fatalf("cut at %d: %+v, want %+v", at, got, want)
		}
		if len(text) > 1<<12 {
			return
		}
		// Eight bytes are looked at together: it must not matter which.
		pad := 1 + int(cut%8)
		got = all(strings.Repeat(" ", pad)+text, p)
		for i := range got {
			got[i].Lo, got[i].Hi = got[i].Lo-int64(pad), got[i].Hi-int64(pad)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("behind %d blanks: %+v, want %+v", pad, got, want)
		}
	})
}

// FuzzSort compares the classes of eight bytes with those of each byte.
func FuzzSort(f *testing.F) {
	f.Add(uint64(0x40392d5f7a5b807f))
	f.Add(uint64(0x2f3a605e5d41617b))
	f.Fuzz(func(t *testing.T, b uint64) {
		var telling, others uint64
		for i := range 8 {
			switch bit := uint64(0x80) << (8 * i); classes[byte(b>>(8*i))] {
			case digit, atSign:
				telling |= bit
			case other:
				others |= bit
			}
		}
		if gotTelling, gotOthers := sort(b); gotTelling != telling || gotOthers != others {
			t.Fatalf("%x: %x and %x, want %x and %x", b, gotTelling, gotOthers, telling, others)
		}
	})
}

// TestSortEveryByte compares the classes of every byte, at every place and beside others.
func TestSortEveryByte(t *testing.T) {
	t.Parallel()
	for c := range uint64(256) {
		for i := range 8 {
			for _, beside := range []uint64{0, 0x61, 0x7f, 0x80, 0xff} {
				b := beside*0x0101010101010101&^(0xff<<(8*i)) | c<<(8*i)
				telling, others := sort(b)
				class := classes[c]
				if telling>>(8*i+7)&1 == 1 != (class == digit || class == atSign) || others>>(8*i+7)&1 == 1 != (class == other) {
					t.Fatalf("byte %d of %x: telling %x, others %x", i, b, telling, others)
				}
			}
		}
	}
}

// TestSkip pads identifiers so that they begin at every place of eight bytes.
func TestSkip(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"jo@example.org", "+49 30 901820", "sk-proj-a8Fk29dLq0Zx7Vb3Nn5Rt1Yw", "password: hunter2hunter2hunter2", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b",
		"key AKIAIOSFODNN7EXAMPLE.", "tel 1234567", "a/b sk_live_abcdEFGH1234abcd-", "\\njo@example.org", "é219-09-9998ü",
	} {
		want := all(" " + text)
		for pad := range 40 {
			got := all(strings.Repeat("a b ", pad/4) + strings.Repeat(" ", pad%4+1) + text + strings.Repeat(" ", pad%9))
			if len(got) != len(want) {
				t.Fatalf("%q behind %d bytes: %v, want %v", text, pad, got, want)
			}
			for i := range got {
				if got[i].Text != want[i].Text || got[i].Kind != want[i].Kind {
					t.Fatalf("%q behind %d bytes: %v, want %v", text, pad, got, want)
				}
			}
		}
	}
}

func BenchmarkFind(b *testing.B) {
	text := []byte(strings.Repeat("the parcel of order 77123 has not come yet, and nobody answers\n", 1000))
	f := New(nil)
	var dst []Match
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		f.Reset()
		dst = f.Finish(f.Append(dst[:0], text))
	}
}
