package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// copyName is where a dump holds the pages of the file of that position.
func copyName(i int, file string) string {
	return filepath.Join("files", fmt.Sprintf("%d-%s", i, filepath.Base(file)))
}

// image is every page of a file at one moment, copied.
type image struct {
	file   string // that it is of
	path   string // of the copy
	digest string // hex SHA-256 of all pages
	size   int64
	same   bool // an older copy was there, and nothing in it had to change
	mode   uint32
}

// takeImage copies a file as one reading sees it. It goes through SQLite, page
// by page: what is in a write-ahead log counts, what is not committed does not,
// and no writer can come in between. Pages that an older copy at path holds
// already are not written again.
func takeImage(ctx context.Context, file, path string) (_ *image, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	c, err := openLive(ctx, file, readOnly)
	if err != nil {
		return nil, err
	}
	defer c.close()
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if _, err := c.ExecContext(ctx, "BEGIN"); err != nil {
		return nil, err
	}
	// Whether this is a database at all is found out here: a table of pages
	// would read anything.
	if _, err := c.number(ctx, "SELECT count(*) FROM sqlite_schema"); err != nil {
		return nil, err
	}
	w, err := newPageWriter(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.file.Close()) }()
	rows, err := c.QueryContext(ctx, "SELECT data FROM sqlite_dbpage('main') ORDER BY pgno")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var page []byte
		if err := rows.Scan(&page); err != nil {
			return nil, err
		}
		if err := w.add(page); err != nil {
			return nil, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if err := w.finish(); err != nil {
		return nil, err
	}
	return &image{
		file: file, path: path, digest: hex.EncodeToString(w.sum.Sum(nil)), size: w.offset, same: !w.changed,
		mode: uint32(info.Mode().Perm()),
	}, nil
}

// pageWriter writes pages one after the other over what is there.
type pageWriter struct {
	file    *os.File
	sum     hash.Hash
	offset  int64
	old     []byte
	changed bool
}

func newPageWriter(path string) (*pageWriter, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return &pageWriter{file: f, sum: sha256.New()}, nil
}

// add writes a page, unless it is there.
func (w *pageWriter) add(page []byte) error {
	w.sum.Write(page)
	if len(w.old) != len(page) {
		w.old = make([]byte, len(page))
	}
	n, _ := w.file.ReadAt(w.old, w.offset) // a short copy differs
	at := w.offset
	w.offset += int64(len(page))
	if bytes.Equal(w.old[:n], page) {
		return nil
	}
	w.changed = true
	_, err := w.file.WriteAt(page, at)
	return err
}

// finish cuts off what the older copy had behind, and syncs.
func (w *pageWriter) finish() error {
	info, err := w.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() != w.offset {
		w.changed = true
		if err := w.file.Truncate(w.offset); err != nil {
			return err
		}
	}
	if !w.changed {
		return nil
	}
	return w.file.Sync()
}

// lockRange is where SQLite locks a database file: one byte of a writer about
// to commit, one of a writer, and those that readers share.
func lockRange(kind int16) *unix.Flock_t {
	return &unix.Flock_t{Type: kind, Whence: unix.SEEK_SET, Start: 0x40000000, Len: 512}
}
