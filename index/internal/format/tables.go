package format

// Tables are the sections that lead from a 5-gram to a record. An index has both or
// neither. The zero value has no places.
type Tables struct {
	There   bool
	Ledger  Ledger
	Records Records
}

// CheckTables checks LEDGER and RECORDS, whose checksums have been checked, for
// consistency. Afterwards lookups are possible in those that were read into memory.
func (c *Checker) CheckTables() (Tables, error) {
	t, err := c.OpenTables()
	if err == nil && t.There {
		err = t.Ledger.Check(c.Payload(c.H.Find(KindLedger, 0)))
	}
	return t, err
}

// OpenTables is CheckTables without the rows of LEDGER, which the caller reads with
// EachBucket.
func (c *Checker) OpenTables() (Tables, error) {
	var t Tables
	li, ri := c.H.Find(KindLedger, 0), c.H.Find(KindRecords, 0)
	if li < 0 && ri < 0 {
		return t, nil
	}
	if li < 0 || ri < 0 {
		return t, Damaged("one of the sections LEDGER and RECORDS is missing")
	}
	lp, rp := c.Payload(li), c.Payload(ri)
	var err error
	if t.Ledger.LedgerShape, err = ParseLedger(lp); err != nil {
		return t, err
	}
	if t.Records.RecordsShape, err = parseRecords(rp); err != nil {
		return t, err
	}
	if t.Ledger.End != t.Records.End {
		return t, Damaged("LEDGER ends at place %d, but RECORDS at place %d", t.Ledger.End, t.Records.End)
	}
	if err := t.Ledger.checkEdges(lp); err != nil {
		return t, err
	}
	if err := t.Records.check(rp); err != nil {
		return t, err
	}
	t.There, t.Ledger.B, t.Records.b = true, c.Dst[li], c.Dst[ri]
	return t, nil
}

// end returns the place behind the last one, or 0 if there are no places.
func (t *Tables) end() uint64 {
	if !t.There {
		return 0
	}
	return t.Records.End
}

// datasets returns the number of datasets that the places belong to, or 0 if there are no
// places.
func (t *Tables) datasets() uint64 {
	if !t.There {
		return 0
	}
	return t.Records.Datasets
}

// CheckDatasets checks that RECORDS counts as many datasets as the MANIFEST.
func (t *Tables) CheckDatasets(n int) error {
	if t.There && t.Records.Datasets != uint64(n) {
		return Damaged("RECORDS counts %d datasets, but MANIFEST %d", t.Records.Datasets, n)
	}
	return nil
}
