package format

import (
	"os"
	"regexp"
	"strconv"
	"testing"
)

// TestSpecification compares the offsets in the tables of docs/index-format.md with
// those in the code.
func TestSpecification(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/index-format.md")
	if err != nil {
		t.Fatal(err)
	}
	shared, err := os.ReadFile("../../../docs/owners.md")
	if err != nil {
		t.Fatal(err)
	}
	page = append(page, shared...)
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
		{OffVersion, 4, "version"},
		{OffHeaderLen, 4, "header length"},
		{OffFileLen, 8, "file length"},
		{OffN, 4, "n"},
		{OffNorm, 4, "norm"},
		{OffUnicode, unicodeLen, "unicode"},
		{OffSuite, 4, "suite"},
		{OffSections, 4, "sections"},
		{OffKeyID, KeyIDLen, "key id"},
		{offCapacity, 8, "capacity"},
		{offRecords, 8, "records"},
		{offSegments, 8, "segments"},
		{offWords, 8, "words"},
		{OffWindows, 8, "windows"},
		{OffBuildID, buildIDLen, "build id"},
		{OffEntries, EntryLen, "entries"},
		{offMagicAgain, len(Magic), "magic again"},
		{OffHeaderCRC, 4, "header crc"},

		{EntKind, 4, "kind"},
		{EntFlags, 4, "flags"},
		{EntOffset, 8, "offset"},
		{EntLength, 8, "length"},
		{EntTableCRC, 4, "table crc"},
		{EntGram, 4, "gram"},
		{EntCapacity, 8, "capacity"},
		{EntOnes, 8, "ones"},
		{EntK, 4, "k"},
		{EntBlock, 4, "block"},

		{OffPhraseRows, 8, "rows"},
		{OffPhraseHeld, 8, "beginnings"},
		{OffPhraseText, 8, "bytes of names"},

		{LedgerTaken, 8, "taken"},
		{LedgerRows, 8, "rows"},
		{LedgerDistinct, 8, "distinct"},
		{LedgerCapped, 8, "capped"},
		{LedgerEnd, 8, "end"},

		{RecordsCount, 8, "records"},
		{recordsEnd, 8, "end"},
		{recordsIDBytes, 8, "id bytes"},
		{RecordsSources, 8, "sources"},
		{recordsPathBytes, 8, "path bytes"},
		{RecordsDatasets, 4, "datasets"},
		{RecordsLineBits, 4, "line bits"},

		{0, 8, "shared rows"},
		{8, SharedHead - 8, "reserved"},
		{0, 8, "fingerprint"},
		{8, SharedRowLen - 8, "owner"},
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
		if KindNames[Kind(kind)] != string(m[2]) {
			t.Errorf("the page calls kind %d %s", kind, m[2])
		}
	}
	for _, row := range []struct {
		name    string
		bits, k int
	}{{"GATES", GateBits, GateK}, {"WINDOWS", WindowBits, WindowK}, {"CONFIRM", ConfirmBits, ConfirmK}, {"WORDS", WordBits, WordK}} {
		if !regexp.MustCompile(`(?m)^\| ` + row.name + ` \| ` + strconv.Itoa(row.bits) + ` \| ` + strconv.Itoa(row.k) + ` \|`).Match(page) {
			t.Errorf("the page does not say that %s has %d bits and k = %d", row.name, row.bits, row.k)
		}
	}
}
