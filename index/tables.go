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
func (c *checker) checkTables(m *Manifest) (tables, error) {
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
	if t.records.datasets != uint64(len(m.Datasets)) {
		return t, damaged("RECORDS counts %d datasets, MANIFEST %d", t.records.datasets, len(m.Datasets))
	}
	if err := t.ledger.check(lp); err != nil {
		return t, err
	}
	if err := t.records.check(rp); err != nil {
		return t, err
	}
	t.there, t.ledger.b, t.records.b, t.records.sets = true, c.dst[li], c.dst[ri], m.Datasets
	return t, nil
}

// info returns what the sections count.
func (t *tables) info() *LedgerInfo {
	if !t.there {
		return nil
	}
	l := &t.ledger
	return &LedgerInfo{Taken: l.taken, Seeds: l.rows, Distinct: l.distinct, Capped: l.capped, Records: t.records.count}
}
