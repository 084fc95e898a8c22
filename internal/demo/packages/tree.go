package packages

import (
	"archive/zip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"upkeep"
)

// materialize copies the tree from to to, with every link replaced by what
// it leads to. Links are read as below root, where absolute ones lead.
func materialize(root, from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		for range 10 { // links to links, never this many
			link, err := os.Readlink(path)
			if err != nil {
				break
			}
			if filepath.IsAbs(link) {
				path = filepath.Join(root, link)
			} else {
				path = filepath.Join(filepath.Dir(path), link)
			}
		}
		in, err := os.Open(path)
		if os.IsNotExist(err) && entry.Name() == ".htaccess" {
			return nil // made when Debian's package is installed; not ours to make
		}
		if err != nil {
			return err
		}
		defer in.Close()
		if info, err := in.Stat(); err != nil || info.IsDir() {
			return err // a link to another folder of the same tree
		}
		return writeFile(to, rel, in)
	})
}

// unzip unpacks archive into dir, over what is there.
func unzip(archive, dir string) error {
	reader, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer reader.Close()
	for _, entry := range reader.File {
		if !entry.Mode().IsRegular() {
			continue
		}
		in, err := entry.Open()
		if err != nil {
			return err
		}
		err = writeFile(dir, entry.Name, in)
		_ = in.Close() // read to its end or the error is reported
		if err != nil {
			return err
		}
	}
	return nil
}

// writeFile writes one file of an archive below dir.
func writeFile(dir, name string, content io.Reader) error {
	name = filepath.FromSlash(strings.TrimPrefix(name, "./"))
	if !filepath.IsLocal(name) {
		return upkeep.Errorf(upkeep.CodeRefused, "%q leads out of its archive", name)
	}
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, content); err != nil {
		_ = out.Close() // the first error counts
		return err
	}
	return out.Close()
}

// normalModes gives a tree the modes of an unpacked release.
func normalModes(tree string) error {
	return filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.Chmod(path, 0o755)
		}
		return os.Chmod(path, 0o644)
	})
}

// packed is the time that all packed files bear, so that the same tree always
// gives the same zip.
var packed = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// pack writes tree as a zip with one top folder.
func pack(archive, top, tree string) (err error) {
	defer upkeep.Wrap(&err, "pack %s", archive)
	if err := os.MkdirAll(filepath.Dir(archive), 0o755); err != nil {
		return err
	}
	out, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer out.Close()
	writer := zip.NewWriter(out)
	err = filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rel, err := filepath.Rel(tree, path)
		if err != nil {
			return err
		}
		return packFile(writer, top+"/"+filepath.ToSlash(rel), path)
	})
	if err != nil {
		return err
	}
	if err := writer.Close(); err != nil {
		return err
	}
	return out.Sync()
}

func packFile(writer *zip.Writer, name, path string) error {
	header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: packed}
	header.SetMode(0o644)
	entry, err := writer.CreateHeader(header)
	if err != nil {
		return err
	}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(entry, in)
	return err
}
