package unpack

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"io"
	"os"
	"slices"

	"upkeep"
)

// A zip describes each entry twice: in the directory at its end and in a
// header before the data. Readers differ in which they believe, so an archive
// may hold one package for the check and another for the site. The directory
// is therefore read here by hand, both descriptions must agree, and entries
// may neither overlap nor hide before, between or behind one another.
const (
	signLocal     = 0x04034b50
	signCentral   = 0x02014b50
	signEnd       = 0x06054b50
	lenLocal      = 30
	lenCentral    = 46
	lenEnd        = 22
	maxComment    = 1<<16 - 1
	flagEncrypted = 1 | 1<<6 | 1<<13
	flagTrailer   = 1 << 3 // sizes follow the data
	extraZip64    = 1
	unset32       = 1<<32 - 1
)

// record is one entry as the directory describes it.
type record struct {
	name         string
	flags        uint16
	method       uint16
	crc          uint32
	packed, size int64
	offset       int64 // of its local header
	data         int64 // of its content
}

// directory reads and proves the directory of the zip archive f.
func directory(f *os.File, size int64, limits Limits) ([]record, error) {
	start, length, count, err := findEnd(f, size)
	if err != nil {
		return nil, err
	}
	if count > limits.Entries {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "%d entries, at most %d", count, limits.Entries)
	}
	buf := make([]byte, length)
	if _, err := f.ReadAt(buf, start); err != nil {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "directory: %w", err)
	}
	var records []record
	for len(buf) > 0 {
		rec, rest, err := central(buf)
		if err != nil {
			return nil, err
		}
		if err := rec.local(f, start); err != nil {
			return nil, err
		}
		records, buf = append(records, rec), rest
		if len(records) > count {
			break
		}
	}
	if len(records) != count || len(buf) > 0 {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "the directory does not hold the %d entries it announces", count)
	}
	return records, apart(records)
}

// findEnd reads the end record: where the directory starts, its bytes, its
// entries. The record must be the only one and close the file.
func findEnd(f *os.File, size int64) (start, length int64, count int, err error) {
	bad := func(format string, args ...any) (int64, int64, int, error) {
		return 0, 0, 0, upkeep.Errorf(upkeep.CodeRefused, format, args...)
	}
	tail := make([]byte, min(size, lenEnd+maxComment))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return bad("%w", err)
	}
	le := binary.LittleEndian
	at := -1
	for i := len(tail) - lenEnd; i >= 0; i-- {
		if le.Uint32(tail[i:]) == signEnd && i+lenEnd+int(le.Uint16(tail[i+20:])) == len(tail) {
			at = i
			break
		}
	}
	if at < 0 {
		return bad("not a zip archive, or cut short")
	}
	end := tail[at:]
	if bytes.Contains(end[lenEnd:], []byte("PK\x05\x06")) {
		return bad("a second end of directory in the comment")
	}
	count = int(le.Uint16(end[10:]))
	length, start = int64(le.Uint32(end[12:])), int64(le.Uint32(end[16:]))
	switch {
	case le.Uint16(end[4:]) != 0 || le.Uint16(end[6:]) != 0 || int(le.Uint16(end[8:])) != count:
		return bad("archive in several parts")
	case count == 1<<16-1 || length == unset32 || start == unset32:
		// No package that the limits admit needs the 64-bit form.
		return bad("zip64 directory")
	case start+length != size-int64(len(end)):
		return bad("data before the archive or between directory and end")
	case count == 0:
		return bad("empty archive")
	}
	return start, length, count, nil
}

// central reads the directory's first record and returns what follows it.
func central(buf []byte) (record, []byte, error) {
	le := binary.LittleEndian
	if len(buf) < lenCentral || le.Uint32(buf) != signCentral {
		return record{}, nil, upkeep.Errorf(upkeep.CodeRefused, "damaged directory")
	}
	name, extra, comment := int(le.Uint16(buf[28:])), int(le.Uint16(buf[30:])), int(le.Uint16(buf[32:]))
	if len(buf) < lenCentral+name+extra+comment {
		return record{}, nil, upkeep.Errorf(upkeep.CodeRefused, "damaged directory")
	}
	rec := record{
		name:   string(buf[lenCentral : lenCentral+name]),
		flags:  le.Uint16(buf[8:]),
		method: le.Uint16(buf[10:]),
		crc:    le.Uint32(buf[16:]),
		packed: int64(le.Uint32(buf[20:])),
		size:   int64(le.Uint32(buf[24:])),
		offset: int64(le.Uint32(buf[42:])),
	}
	if rec.packed == unset32 || rec.size == unset32 || rec.offset == unset32 {
		return record{}, nil, refused(rec.name, "zip64 sizes")
	}
	if rec.flags&flagEncrypted != 0 {
		return record{}, nil, refused(rec.name, "encrypted")
	}
	return rec, buf[lenCentral+name+extra+comment:], nil
}

// local reads the header before the data and compares it with the directory.
func (rec *record) local(f *os.File, directory int64) error {
	le := binary.LittleEndian
	head := make([]byte, lenLocal)
	if rec.offset+lenLocal > directory {
		return refused(rec.name, "lies outside the archive")
	}
	if _, err := f.ReadAt(head, rec.offset); err != nil || le.Uint32(head) != signLocal {
		return refused(rec.name, "no entry where the directory says")
	}
	name, extra := int(le.Uint16(head[26:])), int(le.Uint16(head[28:]))
	tail := make([]byte, name+extra)
	rec.data = rec.offset + lenLocal + int64(len(tail))
	if rec.data+rec.packed > directory {
		return refused(rec.name, "lies outside the archive")
	}
	if _, err := f.ReadAt(tail, rec.offset+lenLocal); err != nil {
		return refused(rec.name, "%w", err)
	}
	flags := le.Uint16(head[6:])
	crc, packed, size := le.Uint32(head[14:]), int64(le.Uint32(head[18:])), int64(le.Uint32(head[22:]))
	if packed == unset32 && size == unset32 {
		size, packed = zip64Sizes(tail[name:])
	}
	same := crc == rec.crc && packed == rec.packed && size == rec.size
	later := flags&flagTrailer != 0 && (crc == 0 || crc == rec.crc) && (packed == 0 || packed == rec.packed) && (size == 0 || size == rec.size)
	switch {
	case flags&flagEncrypted != 0:
		return refused(rec.name, "encrypted")
	case string(tail[:name]) != rec.name:
		return refused(rec.name, "is called %s elsewhere in the archive", quote(string(tail[:name])))
	case le.Uint16(head[8:]) != rec.method, flags&flagTrailer != rec.flags&flagTrailer, !same && !later:
		return refused(rec.name, "directory and entry disagree about it")
	}
	return nil
}

// zip64Sizes returns the 64-bit sizes that streaming writers put in a local
// header, or -1.
func zip64Sizes(extra []byte) (size, packed int64) {
	le := binary.LittleEndian
	for len(extra) >= 4 {
		id, n := le.Uint16(extra), int(le.Uint16(extra[2:]))
		extra = extra[4:]
		if n > len(extra) {
			break
		}
		if id == extraZip64 && n >= 16 {
			return int64(le.Uint64(extra)), int64(le.Uint64(extra[8:]))
		}
		extra = extra[n:]
	}
	return -1, -1
}

// apart refuses entries that share bytes: that is how a small archive unpacks
// to any size, and how one reader sees what another does not.
func apart(records []record) error {
	order := make([]*record, len(records))
	for i := range records {
		order[i] = &records[i]
	}
	slices.SortFunc(order, func(a, b *record) int { return cmp.Compare(a.offset, b.offset) })
	if order[0].offset != 0 {
		return upkeep.Errorf(upkeep.CodeRefused, "data before the first entry")
	}
	for i, rec := range order[1:] {
		if before := order[i]; before.data+before.packed > rec.offset {
			return refused(rec.name, "overlaps %s", quote(before.name))
		}
	}
	return nil
}
