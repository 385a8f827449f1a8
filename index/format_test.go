package index

import (
	"os"
	"regexp"
	"strconv"
	"testing"
)

// TestSpecification reads docs/index-format.md: its tables name the places that
// the code uses, and no others.
func TestSpecification(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/index-format.md")
	if err != nil {
		t.Fatal(err)
	}
	type place struct {
		at, size int
		name     string
	}
	var got []place
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \| (\d+) \| ([a-z0-9 ]+) \|`).FindAllSubmatch(page, -1) {
		at, _ := strconv.Atoi(string(m[1]))
		size, _ := strconv.Atoi(string(m[2]))
		got = append(got, place{at, size, string(m[3])})
	}
	want := []place{
		{offMagic, len(Magic), "magic"},
		{offVersion, 4, "version"},
		{offHeaderLen, 4, "header length"},
		{offFileLen, 8, "file length"},
		{offN, 4, "n"},
		{offNorm, 4, "norm"},
		{offUnicode, unicodeLen, "unicode"},
		{offSuite, 4, "suite"},
		{offSections, 4, "sections"},
		{offKeyID, keyIDLen, "key id"},
		{offCapacity, 8, "capacity"},
		{offRecords, 8, "records"},
		{offSegments, 8, "segments"},
		{offWords, 8, "words"},
		{offWindows, 8, "windows"},
		{offBuildID, buildIDLen, "build id"},
		{offEntries, entryLen, "entries"},
		{offMagicAgain, len(Magic), "magic again"},
		{offHeaderCRC, 4, "header crc"},

		{entKind, 4, "kind"},
		{entFlags, 4, "flags"},
		{entOffset, 8, "offset"},
		{entLength, 8, "length"},
		{entTableCRC, 4, "table crc"},
		{entGram, 4, "gram"},
		{entCapacity, 8, "capacity"},
		{entOnes, 8, "ones"},
		{entK, 4, "k"},
		{entBlock, 4, "block"},

		{offPhraseRows, 8, "rows"},
		{offPhraseHeld, 8, "beginnings"},
		{offPhraseText, 8, "bytes of names"},

		{ledgerTaken, 8, "taken"},
		{ledgerRows, 8, "rows"},
		{ledgerDistinct, 8, "distinct"},
		{ledgerCapped, 8, "capped"},
		{ledgerEnd, 8, "end"},

		{recordsCount, 8, "records"},
		{recordsEnd, 8, "end"},
		{recordsIDBytes, 8, "id bytes"},
		{recordsSources, 8, "sources"},
		{recordsPathBytes, 8, "path bytes"},
		{recordsDatasets, 4, "datasets"},
		{recordsLineBits, 4, "line bits"},
	}
	if len(got) != len(want) {
		t.Fatalf("the page has %d places, the code %d: %v", len(got), len(want), got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("row %d: the page says %+v, the code %+v", i, got[i], want[i])
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \| ([A-Z]+) \|`).FindAllSubmatch(page, -1) {
		kind, _ := strconv.Atoi(string(m[1]))
		if kindNames[Kind(kind)] != string(m[2]) {
			t.Errorf("the page calls kind %d %s", kind, m[2])
		}
	}
	for _, row := range []struct {
		name    string
		bits, k int
	}{{"GATES", gateBits, gateK}, {"WINDOWS", windowBits, windowK}, {"CONFIRM", confirmBits, confirmK}, {"WORDS", wordBits, wordK}} {
		if !regexp.MustCompile(`(?m)^\| ` + row.name + ` \| ` + strconv.Itoa(row.bits) + ` \| ` + strconv.Itoa(row.k) + ` \|`).Match(page) {
			t.Errorf("the page does not say that %s has %d bits and k = %d", row.name, row.bits, row.k)
		}
	}
}
