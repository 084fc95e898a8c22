// Package local keeps a repository's files in a folder of this machine.
package local

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/direct"
)

// Dir is a Storage in a folder. The folder is made when the repository
// is created; everything in it is readable by its owner alone.
type Dir string

var _ vault.Storage = Dir("")

// Save writes the file under a temporary name, syncs it, gives it its name
// and syncs the folder. It never replaces a file.
func (d Dir) Save(ctx context.Context, name string, data []byte) (err error) {
	defer upkeep.Wrap(&err, "save %s", name)
	if err := ctx.Err(); err != nil {
		return err
	}
	target := d.path(name)
	folder := filepath.Dir(target)
	temp, err := d.writePart(folder, data)
	if errors.Is(err, fs.ErrNotExist) {
		if err = d.makeFolder(folder); err == nil {
			temp, err = d.writePart(folder, data)
		}
	}
	if err != nil {
		return noSpace(err)
	}
	// NOREPLACE makes "exists" and "is written" one decision.
	err = unix.Renameat2(unix.AT_FDCWD, temp, unix.AT_FDCWD, target, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		// Some network file systems lack it; a hard link refuses as well.
		if err = os.Link(temp, target); err == nil {
			err = os.Remove(temp)
		}
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return syncFolder(folder)
}

// writePart writes data to a new temporary file in folder and syncs it.
func (d Dir) writePart(folder string, data []byte) (name string, err error) {
	name = filepath.Join(folder, vault.PartPrefix+rand.Text())
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	n, err := direct.Write(f, data)
	if err == nil {
		_, err = f.Write(data[n:])
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(name))
	}
	return name, nil
}

// makeFolder makes folder and what leads to it, each durably. Other writers
// may do the same at the same time.
func (d Dir) makeFolder(folder string) error {
	if _, err := os.Stat(folder); err == nil {
		return nil
	}
	parent := filepath.Dir(folder)
	if err := d.makeFolder(parent); err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(parent)
}

// Load reads part of a file, or all that follows offset when length is 0.
func (d Dir) Load(ctx context.Context, name string, offset int64, length int) (data []byte, err error) {
	defer upkeep.Wrap(&err, "load %s", name)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := os.Open(d.path(name))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if length == 0 {
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		if info.Size() <= offset {
			return nil, nil
		}
		length = int(info.Size() - offset)
	}
	data = direct.Room(length)
	if direct.Read(f, data, offset) {
		return data, nil
	}
	if _, err := f.ReadAt(data, offset); err != nil {
		if errors.Is(err, io.EOF) {
			err = upkeep.Causef("%d bytes at %d: %w", length, offset, io.ErrUnexpectedEOF)
		}
		return nil, err
	}
	return data, nil
}

// List calls fn for every file below folder. A folder that does not exist
// holds none.
func (d Dir) List(ctx context.Context, folder string, fn func(vault.FileInfo) error) (err error) {
	defer upkeep.Wrap(&err, "list %s", folder)
	return d.walk(ctx, folder, func(info vault.FileInfo) error {
		if strings.HasPrefix(path.Base(info.Name), vault.PartPrefix) {
			return nil
		}
		return fn(info)
	})
}

func (d Dir) walk(ctx context.Context, folder string, fn func(vault.FileInfo) error) error {
	entries, err := os.ReadDir(d.path(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := path.Join(folder, entry.Name())
		if entry.IsDir() {
			err = d.walk(ctx, name, fn)
		} else {
			err = visitFile(entry, name, fn)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func visitFile(entry fs.DirEntry, name string, fn func(vault.FileInfo) error) error {
	info, err := entry.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed since the folder was read
	}
	if err != nil {
		return err
	}
	return fn(vault.FileInfo{Name: name, Size: info.Size(), Modified: info.ModTime()})
}

// Stat describes one file.
func (d Dir) Stat(ctx context.Context, name string) (vault.FileInfo, error) {
	if err := ctx.Err(); err != nil {
		return vault.FileInfo{}, err
	}
	info, err := os.Stat(d.path(name))
	if err != nil {
		return vault.FileInfo{}, err
	}
	return vault.FileInfo{Name: name, Size: info.Size(), Modified: info.ModTime()}, nil
}

// Remove deletes a file.
func (d Dir) Remove(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := os.Remove(d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Tidy removes files that a writer left half written, once they are too old
// to be still in progress.
func (d Dir) Tidy(ctx context.Context, now time.Time) error {
	return d.walk(ctx, ".", func(info vault.FileInfo) error {
		if !info.LeftBehind(now) {
			return nil
		}
		return d.Remove(ctx, info.Name)
	})
}

func (d Dir) path(name string) string { return filepath.Join(string(d), filepath.FromSlash(name)) }

func syncFolder(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// noSpace gives a full disk its code; other errors pass.
func noSpace(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return upkeep.Errorf(upkeep.CodeNoSpace, "vault: %w", err).
			WithHint("Free space where the vault is kept, or prune it.")
	}
	return err
}
