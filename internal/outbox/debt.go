package outbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// debt is a gap record that a process owes the receiver: it ended before it could write one.
//
// On disk it is a row: 4 bytes checksum (CRC-32C) of all that follows, 8 bytes lost, 8 bytes
// last, both little endian, and the boot. A row without lost events is empty.
type debt struct {
	boot string
	last uint64 // the lost events end with this one of the boot
	lost uint64
}

const (
	maxDebts = 16 // processes that end one after the other while the disk is full
	debtSize = 4 + 8 + 8 + bootLength
)

// loadDebts reads the file of debts, and makes its bytes if there is room for them.
func (s *spool) loadDebts() (err error) {
	if s.ledger, err = os.OpenFile(filepath.Join(s.dir, "lost"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	rows := make([]byte, maxDebts*debtSize)
	if _, err := s.ledger.ReadAt(rows, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	_, _ = s.ledger.WriteAt(rows, 0) // a disk that is full now may have room at the end
	for ; len(rows) > 0; rows = rows[debtSize:] {
		row := rows[:debtSize]
		d := debt{
			lost: binary.LittleEndian.Uint64(row[4:]), last: binary.LittleEndian.Uint64(row[12:]),
			boot: string(bytes.TrimRight(row[20:], "\x00")),
		}
		if d.lost > 0 && checksum(row[4:]) == binary.LittleEndian.Uint32(row) {
			s.debts = append(s.debts, d)
		}
	}
	return nil
}

// owe writes the debts over those in the file.
func (s *spool) owe() error {
	rows := make([]byte, 0, maxDebts*debtSize)
	for _, d := range s.debts[:min(len(s.debts), maxDebts)] {
		row := make([]byte, debtSize)
		binary.LittleEndian.PutUint64(row[4:], d.lost)
		binary.LittleEndian.PutUint64(row[12:], d.last)
		copy(row[20:], d.boot)
		binary.LittleEndian.PutUint32(row, checksum(row[4:]))
		rows = append(rows, row...)
	}
	if _, err := s.ledger.WriteAt(rows[:cap(rows)], 0); err != nil {
		return err
	}
	if len(s.debts) > maxDebts {
		return fmt.Errorf("the spool remembers the lost events of %d processes only", maxDebts)
	}
	return s.ledger.Sync()
}
