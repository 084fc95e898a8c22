package unpack

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"upkeep"
)

// Package unpacks the archive at path, of whichever kind it is: a zip, or else
// a gzipped tar.
func Package(ctx context.Context, path string, dir *os.Root, limits Limits) (Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return Report{}, err
	}
	magic := make([]byte, 2)
	n, err := f.ReadAt(magic, 0)
	if err := errors.Join(ignoreEnd(err), f.Close()); err != nil {
		return Report{}, err
	}
	if string(magic[:n]) == "\x1f\x8b" {
		return TarGz(ctx, path, dir, limits)
	}
	return Zip(ctx, path, dir, limits)
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// TarGz unpacks the gzipped tar archive at path into dir, under the same rules
// and with the same errors as Zip.
func TarGz(ctx context.Context, path string, dir *os.Root, limits Limits) (_ Report, err error) {
	defer upkeep.Wrap(&err, "unpack %s", path)
	limits = limits.withDefaults()
	f, size, err := openArchive(path, limits)
	if err != nil {
		return Report{}, err
	}
	defer f.Close()
	gz, err := gzip.NewReader(f)
	if err != nil {
		return Report{}, upkeep.Errorf(upkeep.CodeRefused, "not a gzip archive: %w", err)
	}
	// Headers and padding count too: an archive of nothing but headers must
	// end as well. Each entry has at most a few blocks of them.
	limits.Total = min(limits.Total, max(ratioFloor, size*limits.Ratio))
	most := limits.Total + int64(limits.Entries)*4096
	bounded := &meter{r: gz, left: most}
	t := newTree(dir, limits)
	if err := t.tar(ctx, tar.NewReader(bounded)); err != nil {
		return Report{}, err
	}
	// What follows the end mark is padding; reading it proves the checksum.
	if _, err := t.copy(ctx, io.Discard, bounded); err != nil {
		return Report{}, upkeep.Errorf(upkeep.CodeRefused, "end of the archive: %w", err)
	}
	return t.finish()
}

func (t *tree) tar(ctx context.Context, r *tar.Reader) error {
	for n := 0; ; n++ {
		head, err := r.Next()
		if err == io.EOF {
			if n == 0 {
				return upkeep.Errorf(upkeep.CodeRefused, "empty archive")
			}
			return nil
		}
		if err != nil {
			return upkeep.Errorf(upkeep.CodeRefused, "entry %d: %w", n+1, err)
		}
		if n >= t.limits.Entries {
			return refused(head.Name, "more than %d entries", t.limits.Entries)
		}
		if err := t.tarEntry(ctx, head, r); err != nil {
			return err
		}
	}
}

func (t *tree) tarEntry(ctx context.Context, head *tar.Header, r io.Reader) error {
	if head.Typeflag == tar.TypeXGlobalHeader {
		return nil // git puts the commit there
	}
	// tar itself writes "./" for the folder it was called in.
	relative := strings.TrimPrefix(head.Name, "./")
	if head.Typeflag == tar.TypeDir && (relative == "" || relative == ".") {
		return nil
	}
	name, err := t.clean(relative)
	if err != nil {
		return err
	}
	switch head.Typeflag {
	case tar.TypeDir:
		return t.folder(name)
	case tar.TypeReg:
		if strings.HasSuffix(head.Name, "/") {
			return refused(head.Name, "its name and its type disagree whether it is a folder")
		}
		return t.write(ctx, name, r, head.Size)
	case tar.TypeSymlink:
		return t.link(name, head.Linkname)
	}
	return refused(head.Name, "is neither a file nor a folder (type %q)", string(head.Typeflag))
}

// errTooMuch ends an archive that unpacks to more than it may.
var errTooMuch = errors.New("unpacks to more than the limits admit")

// meter is a reader that fails, rather than ends, at its bound.
type meter struct {
	r    io.Reader
	left int64
}

func (m *meter) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, errTooMuch
	}
	if int64(len(p)) > m.left {
		p = p[:m.left]
	}
	n, err := m.r.Read(p)
	m.left -= int64(n)
	return n, err
}
