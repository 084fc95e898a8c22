package unpack

import (
	"archive/zip"
	"context"
	"io"
	"io/fs"
	"os"
	"strings"

	"upkeep"
)

// Zip unpacks the archive at path into dir, which should be empty; after an
// error dir holds part of it and is the caller's to remove. CodeRefused names
// the entry and the reason, CodeNoSpace when the disk cannot hold it.
func Zip(ctx context.Context, path string, dir *os.Root, limits Limits) (_ Report, err error) {
	defer upkeep.Wrap(&err, "unpack %s", path)
	limits = limits.withDefaults()
	f, size, err := openArchive(path, limits)
	if err != nil {
		return Report{}, err
	}
	defer f.Close()
	records, err := directory(f, size, limits)
	if err != nil {
		return Report{}, err
	}
	// archive/zip reads the same bytes a second time; where it understands
	// anything differently the archive is ambiguous and goes no further.
	r, err := zip.NewReader(f, size)
	if err != nil {
		return Report{}, upkeep.Errorf(upkeep.CodeRefused, "not a zip archive: %w", err)
	}
	if len(r.File) != len(records) {
		return Report{}, upkeep.Errorf(upkeep.CodeRefused, "%d entries to one reader, %d to another", len(records), len(r.File))
	}
	var total int64
	for i, file := range r.File {
		if err := examine(file, &records[i], limits); err != nil {
			return Report{}, err
		}
		if total += records[i].size; total > limits.Total {
			return Report{}, refused(file.Name, "unpacks to more than %d bytes", limits.Total)
		}
	}
	if total > ratioFloor && total/max(size, 1) > limits.Ratio {
		return Report{}, upkeep.Errorf(upkeep.CodeRefused, "unpacks to %d times its size, at most %d", total/max(size, 1), limits.Ratio)
	}
	if err := room(dir, total); err != nil {
		return Report{}, err
	}
	t := newTree(dir, limits)
	for _, file := range r.File {
		if err := t.zipEntry(ctx, file); err != nil {
			return Report{}, err
		}
	}
	return t.finish()
}

// examine compares what archive/zip made of an entry with our own reading of
// the directory, and refuses what no package needs.
func examine(file *zip.File, rec *record, limits Limits) error {
	data, err := file.DataOffset()
	switch {
	case err != nil:
		return refused(file.Name, "%w", err)
	case file.Name != rec.name || file.Method != rec.method || file.CRC32 != rec.crc ||
		file.CompressedSize64 != uint64(rec.packed) || file.UncompressedSize64 != uint64(rec.size) || data != rec.data:
		return refused(file.Name, "two readers disagree about it")
	case rec.method != zip.Store && rec.method != zip.Deflate:
		return refused(file.Name, "compression method %d", rec.method)
	case rec.method == zip.Store && rec.packed != rec.size:
		return refused(file.Name, "stored, but its two sizes differ")
	case rec.size > ratioFloor && rec.size/max(rec.packed, 1) > limits.Ratio:
		return refused(file.Name, "unpacks to %d times its size, at most %d", rec.size/max(rec.packed, 1), limits.Ratio)
	case rec.size > limits.File:
		return refused(file.Name, "%d bytes, at most %d", rec.size, limits.File)
	}
	return nil
}

func (t *tree) zipEntry(ctx context.Context, file *zip.File) error {
	name, err := t.clean(file.Name)
	if err != nil {
		return err
	}
	switch kind := file.Mode().Type(); {
	case kind == fs.ModeSymlink:
		target, err := linkTarget(file)
		if err != nil {
			return err
		}
		return t.link(name, target)
	case kind != 0 && kind != fs.ModeDir:
		return refused(file.Name, "is neither a file nor a folder (%s)", kind)
	case strings.HasSuffix(file.Name, "/") != (kind == fs.ModeDir):
		return refused(file.Name, "its name and its type disagree whether it is a folder")
	case kind == fs.ModeDir:
		if file.UncompressedSize64 != 0 {
			return refused(file.Name, "is a folder with content")
		}
		return t.folder(name)
	}
	r, err := file.Open()
	if err != nil {
		return refused(file.Name, "%w", err)
	}
	defer r.Close()
	return t.write(ctx, name, r, int64(file.UncompressedSize64))
}

// linkTarget reads where a link leads: its content, at most a path long.
func linkTarget(file *zip.File) (string, error) {
	r, err := file.Open()
	if err != nil {
		return "", refused(file.Name, "%w", err)
	}
	defer r.Close()
	target, err := io.ReadAll(io.LimitReader(r, 4097))
	if err != nil || len(target) > 4096 {
		return "", refused(file.Name, "unreadable link")
	}
	return string(target), nil
}

// openArchive opens a package that is a regular file of bearable size.
func openArchive(path string, limits Limits) (*os.File, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, upkeep.Errorf(upkeep.CodeNotFound, "%w", err)
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Size() > limits.Archive) {
		err = upkeep.Errorf(upkeep.CodeRefused, "want a regular file of at most %d bytes", limits.Archive)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}
