package build

import (
	"bytes"
	"io"
	"math/bits"

	"noecho/index/internal/format"
)

// recordSet are the records and sources that RECORDS names.
type recordSet struct {
	end      uint64
	datasets uint64
	sources  []namedSource
	// each calls f for every record in the order of the places. It can be called
	// several times. The argument of f is valid until f returns.
	each func(f func(namedRecord) error) error
}

// namedSource is a source as RECORDS stores it.
type namedSource struct {
	place   uint64
	dataset uint64
	path    string
}

// namedRecord is a record as RECORDS stores it.
type namedRecord struct {
	place, source, line uint64
	id                  []byte
}

// write writes the payload of RECORDS.
func (s *recordSet) write(w io.Writer) error {
	r := format.RecordsShape{End: s.end, Datasets: s.datasets, Sources: uint64(len(s.sources))}
	err := s.each(func(n namedRecord) error {
		r.Count++
		r.IDBytes += uint64(len(n.id))
		r.LineBits = max(r.LineBits, uint(bits.Len64(n.line)))
		return nil
	})
	if err != nil {
		return err
	}
	for _, src := range s.sources {
		r.PathBytes += uint64(len(src.path))
	}
	r.SetLayout()
	for _, part := range []func(io.Writer, *format.RecordsShape) error{s.writeRows, s.writeIDs, s.writeSources} {
		if err := part(w, &r); err != nil {
			return err
		}
	}
	_, err = w.Write(r.Trailer())
	return err
}

func (s *recordSet) writeRows(w io.Writer, r *format.RecordsShape) error {
	p, idEnd := format.NewPacker(w), uint64(0)
	err := s.each(func(n namedRecord) error {
		idEnd += uint64(len(n.id))
		p.Put(n.place, r.PlaceBits)
		p.Put(n.source, r.SourceBits)
		p.Put(n.line, r.LineBits)
		p.Put(idEnd, r.IDBits)
		return p.Err
	})
	if err != nil {
		return err
	}
	return p.End(r.Count * uint64(r.Width))
}

func (s *recordSet) writeIDs(w io.Writer, r *format.RecordsShape) error {
	err := s.each(func(n namedRecord) error {
		_, err := w.Write(n.id)
		return err
	})
	if err != nil {
		return err
	}
	return pad(w, r.IDBytes)
}

func (s *recordSet) writeSources(w io.Writer, r *format.RecordsShape) error {
	p, pathEnd := format.NewPacker(w), uint64(0)
	var paths bytes.Buffer
	for _, src := range s.sources {
		paths.WriteString(src.path)
		pathEnd += uint64(len(src.path))
		p.Put(src.place, r.PlaceBits)
		p.Put(src.dataset, r.DatasetBits)
		p.Put(pathEnd, r.PathBits)
	}
	if err := p.End(r.Sources * uint64(r.SourceWidth)); err != nil {
		return err
	}
	if _, err := w.Write(paths.Bytes()); err != nil {
		return err
	}
	return pad(w, r.PathBytes)
}

// pad writes zeros behind n bytes of payload, up to a multiple of 8.
func pad(w io.Writer, n uint64) error {
	_, err := w.Write(make([]byte, -n&7))
	return err
}
