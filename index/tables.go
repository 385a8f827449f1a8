package index

// tables are the sections that lead from a 5-gram to a record. An index has both
// or neither; the zero value answers nothing.
type tables struct {
	there   bool
	ledger  ledger
	records records
}

// checkTables checks LEDGER and RECORDS, whose bytes were checked before, against
// themselves and each other. Those that were read into memory can then be asked.
func (c *checker) checkTables() (tables, error) {
	var t tables
	li, ri := c.h.find(KindLedger, 0), c.h.find(KindRecords, 0)
	if li < 0 && ri < 0 {
		return t, nil
	}
	if li < 0 || ri < 0 {
		return t, damaged("of LEDGER and RECORDS only one is there")
	}
	lp, rp := c.payload(li), c.payload(ri)
	var err error
	if t.ledger.ledgerShape, err = parseLedger(lp); err != nil {
		return t, err
	}
	if t.records.recordsShape, err = parseRecords(rp); err != nil {
		return t, err
	}
	if t.ledger.end != t.records.end {
		return t, damaged("LEDGER ends at place %d, RECORDS at %d", t.ledger.end, t.records.end)
	}
	if err := t.ledger.check(lp); err != nil {
		return t, err
	}
	if err := t.records.check(rp); err != nil {
		return t, err
	}
	t.there, t.ledger.b, t.records.b = true, c.dst[li], c.dst[ri]
	return t, nil
}

// end is the place behind the last one; 0 if there are none.
func (t *tables) end() uint64 {
	if !t.there {
		return 0
	}
	return t.records.end
}

// checkDatasets checks that RECORDS counts as many datasets as the MANIFEST.
func (t *tables) checkDatasets(n int) error {
	if t.there && t.records.datasets != uint64(n) {
		return damaged("RECORDS counts %d datasets, MANIFEST %d", t.records.datasets, n)
	}
	return nil
}
