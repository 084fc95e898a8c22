package node

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/restic/chunker"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/archive/folder"
)

// racy is how fresh a change may be for the next one to leave the same time
// stamp behind. Files changed so lately are read again.
const racy = 2 * time.Second

// Memory remembers which content files had, by what stat(2) says of them, so
// that a file that has not changed need not be read again. One that was
// written to always shows it: the change time cannot be set. The zero value
// is empty and ready. It may be used by several goroutines.
type Memory struct {
	mu         sync.Mutex
	polynomial chunker.Pol
	files      map[Key]fileRecord
	fresh      map[Key]fileRecord // seen in the run under way
}

// Key tells files of a host apart.
type Key struct{ Dev, Inode uint64 }

// fileRecord is what a file was when it was last read, and what it held.
type fileRecord struct {
	size, mtime, ctime int64
	content            []vault.ID
	xattrs             []folder.Xattr
}

// Begin starts a run over all sources. A memory of another repository is
// forgotten: its files were cut elsewhere.
func (m *Memory) Begin(polynomial chunker.Pol) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.polynomial != polynomial {
		m.polynomial, m.files = polynomial, nil
	}
	m.fresh = make(map[Key]fileRecord, len(m.files))
}

// End keeps what the run saw. After a run that saw only a part, the rest is
// kept too.
func (m *Memory) End(whole bool) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if whole || m.files == nil {
		m.files, m.fresh = m.fresh, nil
		return
	}
	for key, record := range m.fresh {
		m.files[key] = record
	}
	m.fresh = nil
}

// Recall fills in the content and attributes of n if it has not changed.
func (m *Memory) Recall(n *Node) bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := Key{n.Dev, n.Inode}
	record, ok := m.files[key]
	if !ok || record.size != int64(n.Size) || record.mtime != n.MTime || record.ctime != n.CTime {
		return false
	}
	n.Content, n.Xattrs = record.content, record.xattrs
	if m.fresh != nil {
		m.fresh[key] = record
	}
	return true
}

// Keep remembers n, unless it changed so lately before started that it may
// change again unseen. A settled file is known to be written to no more.
func (m *Memory) Keep(n *Node, started time.Time, settled bool) {
	if m == nil || !settled && n.CTime > started.Add(-racy).UnixNano() {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	record := fileRecord{int64(n.Size), n.MTime, n.CTime, n.Content, n.Xattrs}
	m.fresh[Key{n.Dev, n.Inode}] = record
}

// Drop forgets n.
func (m *Memory) Drop(n *Node) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.files, Key{n.Dev, n.Inode})
	delete(m.fresh, Key{n.Dev, n.Inode})
}

// memoryMagic starts a memory file and names its version.
const memoryMagic = "upkeep memory 1\n"

// LoadMemory reads a memory that Save wrote. A file that is missing or does
// not read back gives an empty one: it costs time, never correctness.
func LoadMemory(path string) (m *Memory, err error) {
	defer upkeep.Wrap(&err, "load memory %s", path)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Memory{}, nil
	}
	if err != nil {
		return nil, err
	}
	end := len(data) - sha256.Size
	if end < len(memoryMagic) || string(data[:len(memoryMagic)]) != memoryMagic {
		return &Memory{}, nil
	}
	if sum := sha256.Sum256(data[:end]); !bytes.Equal(sum[:], data[end:]) {
		return &Memory{}, nil
	}
	m = &Memory{}
	if err := m.decode(bytes.NewReader(data[len(memoryMagic):end])); err != nil {
		return &Memory{}, nil
	}
	return m, nil
}

// Save writes the memory to path, replacing what was there in one step.
func (m *Memory) Save(path string) (err error) {
	defer upkeep.Wrap(&err, "save memory %s", path)
	f, err := os.CreateTemp(filepath.Dir(path), ".memory-")
	if err != nil {
		return err
	}
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<16)
	_, err = out.Write(m.encode())
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		_, err = f.Write(sum.Sum(nil))
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// encode writes numbers in variable length, then IDs and attributes as they
// are: about 90 bytes a file.
func (m *Memory) encode() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := append([]byte(nil), memoryMagic...)
	out = binary.AppendUvarint(out, uint64(m.polynomial))
	out = binary.AppendUvarint(out, uint64(len(m.files)))
	for key, record := range m.files {
		out = binary.AppendUvarint(out, key.Dev)
		out = binary.AppendUvarint(out, key.Inode)
		out = binary.AppendUvarint(out, uint64(record.size))
		out = binary.AppendVarint(out, record.mtime)
		out = binary.AppendVarint(out, record.ctime)
		out = binary.AppendUvarint(out, uint64(len(record.content)))
		for i := range record.content {
			out = append(out, record.content[i][:]...)
		}
		out = binary.AppendUvarint(out, uint64(len(record.xattrs)))
		for _, x := range record.xattrs {
			out = appendBytes(out, []byte(x.Name))
			out = appendBytes(out, x.Value)
		}
	}
	return out
}

// appendBytes writes the length before the bytes.
func appendBytes(out, value []byte) []byte {
	return append(binary.AppendUvarint(out, uint64(len(value))), value...)
}

// decode reads what encode wrote. The sum over the file was right, so that only
// a mistake of ours makes it fail; lengths are bounded all the same.
func (m *Memory) decode(in *bytes.Reader) error {
	d := decoder{in: in}
	m.polynomial = chunker.Pol(d.number())
	count := d.count()
	m.files = make(map[Key]fileRecord, count)
	for range count {
		key := Key{d.number(), d.number()}
		record := fileRecord{size: int64(d.number()), mtime: d.signed(), ctime: d.signed()}
		for range d.count() {
			var id vault.ID
			d.read(id[:])
			record.content = append(record.content, id)
		}
		for range d.count() {
			record.xattrs = append(record.xattrs, folder.Xattr{Name: string(d.bytes()), Value: d.bytes()})
		}
		if d.err != nil {
			return d.err
		}
		m.files[key] = record
	}
	return d.err
}

// decoder keeps the first error, so that reading needs no check at each step.
type decoder struct {
	in  *bytes.Reader
	err error
}

// number reads an unsigned number of variable length.
func (d *decoder) number() uint64 {
	n, err := binary.ReadUvarint(d.in)
	d.note(err)
	return n
}

// signed reads a number that may be negative, as times before 1970 are.
func (d *decoder) signed() int64 {
	n, err := binary.ReadVarint(d.in)
	d.note(err)
	return n
}

// count reads a number of things to follow, each at least a byte long.
func (d *decoder) count() int {
	n := d.number()
	if n > uint64(d.in.Len()) {
		d.note(io.ErrUnexpectedEOF)
		return 0
	}
	return int(n)
}

// bytes reads a length and as many bytes.
func (d *decoder) bytes() []byte {
	value := make([]byte, d.count())
	d.read(value)
	return value
}

// read fills into.
func (d *decoder) read(into []byte) {
	_, err := io.ReadFull(d.in, into)
	if len(into) > 0 {
		d.note(err)
	}
}

// note keeps the first error.
func (d *decoder) note(err error) {
	if d.err == nil {
		d.err = err
	}
}
