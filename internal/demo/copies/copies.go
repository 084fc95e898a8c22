// Package copies copies folders, and unpacks zips, for an account of its own.
package copies

import (
	"archive/zip"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"upkeep"
)

// Tree copies a folder, with links as links and modes as they are, and gives
// each path of the copy away by own.
func Tree(from, to string, own func(path string) error) (err error) {
	defer upkeep.Wrap(&err, "copy %s to %s", from, to)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := own(filepath.Dir(to)); err != nil {
		return err
	}
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if err := copyEntry(path, target, info); err != nil {
			return err
		}
		return own(target)
	})
}

func copyEntry(path, target string, info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return os.Mkdir(target, info.Mode().Perm())
	case info.Mode()&fs.ModeSymlink != 0:
		link, err := os.Readlink(path)
		if err != nil {
			return err
		}
		return os.Symlink(link, target)
	case !info.Mode().IsRegular():
		return upkeep.Errorf(upkeep.CodeInvalid, "%s is no file, folder or link", path)
	}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil { // the kernel copies, without passing it through us
		_ = out.Close() // the first error counts
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	return os.Chtimes(target, info.ModTime(), info.ModTime())
}

// Unpack unpacks a zip that was made here or that the user named into dir, by
// way of a folder in work.
func Unpack(archive, dir, work string, own func(path string) error) (err error) {
	defer upkeep.Wrap(&err, "unpack %s", archive)
	reader, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer reader.Close()
	temp, err := os.MkdirTemp(work, "unpack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := os.CopyFS(temp, reader); err != nil {
		return err
	}
	tops, err := os.ReadDir(temp)
	if err != nil {
		return err
	}
	for _, top := range tops {
		target := filepath.Join(dir, top.Name())
		if err := os.RemoveAll(target); err != nil {
			return err
		}
		if err := Tree(filepath.Join(temp, top.Name()), target, own); err != nil {
			return err
		}
	}
	return nil
}
