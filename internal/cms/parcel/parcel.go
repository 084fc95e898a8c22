// Package parcel holds what every driver does with an unpacked package: it
// looks at what is at its top, notes what goes where and what each file must
// then be, puts that in place, and tells afterwards whether all of it arrived
// and whether anything else changed.
package parcel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
)

// maxSource bounds a file of a package that is read for what it says.
const maxSource = 4 << 20

// Refused is the error for a package that is not what it claims.
func Refused(format string, args ...any) *upkeep.Error {
	return upkeep.Errorf(upkeep.CodeRefused, format, args...)
}

// Entries lists the top of a package without what macOS adds to archives,
// which CMSs ignore too.
func Entries(root *os.Root) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	var entries []fs.DirEntry
	for _, entry := range all {
		if entry.Name() != "__MACOSX" && entry.Name() != ".DS_Store" {
			entries = append(entries, entry)
		}
	}
	return entries, nil
}

// Top returns the name of the one folder that a package is. CodeRefused when
// it is anything else.
func Top(root *os.Root) (string, error) {
	entries, err := Entries(root)
	if err != nil {
		return "", err
	}
	if len(entries) != 1 || !entries[0].IsDir() {
		return "", Refused("holds %s instead of one folder", cms.List(names(entries)))
	}
	return entries[0].Name(), nil
}

// Folder requires that a package is one folder of that name.
func Folder(root *os.Root, want string) error {
	entries, err := Entries(root)
	if err != nil {
		return err
	}
	if len(entries) != 1 || !entries[0].IsDir() || entries[0].Name() != want {
		return Refused("holds %s instead of one folder %s", cms.List(names(entries)), want)
	}
	return nil
}

func names(entries []fs.DirEntry) []string {
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// Take plans the move of from, a file or folder of the package, to the place
// to (absolute), and notes what every file there must then be.
func Take(ctx context.Context, root *os.Root, staged *cms.Staged, from, to string) error {
	staged.Moves = append(staged.Moves, cms.Move{From: from, To: to})
	return fs.WalkDir(root.FS(), from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if !entry.Type().IsRegular() {
			return Refused("%s is not a regular file", name)
		}
		if err := ctx.Err(); err != nil {
			return upkeep.Errorf(upkeep.CodeInterrupted, "stopped: %w", err)
		}
		sum, err := Sum(root, name)
		if err != nil {
			return err
		}
		key, err := filepath.Rel(staged.Update.Component.Path, filepath.Join(to, strings.TrimPrefix(name, from)))
		if err != nil {
			return err
		}
		staged.Files[filepath.ToSlash(key)] = sum
		return nil
	})
}

// Read returns a file of the package, or nil when there is none.
func Read(root *os.Root, name string) ([]byte, error) {
	text, err := cms.ReadBounded(root, name, maxSource)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// Sum returns the SHA-256 of a file in hexadecimal digits.
func Sum(root *os.Root, name string) (string, error) {
	f, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// Place makes the moves of one update, then takes away what the new version
// no longer has. placed remembers which update took which place: two
// components of one folder come in the same package, which is put there once.
func Place(ctx context.Context, w cms.Work, s *cms.Staged, placed map[string]*cms.Staged) error {
	for _, move := range s.Moves {
		if other := placed[move.To]; other != nil {
			if !maps.Equal(other.Files, s.Files) {
				return upkeep.Errorf(upkeep.CodeConflict, "%s was just replaced by another package, of %s", move.To, other.Update.Ref())
			}
			continue
		}
		if err := w.Swap(ctx, move.To, filepath.Join(s.Dir, move.From)); err != nil {
			return err
		}
		placed[move.To] = s
	}
	for _, target := range s.Drop {
		if err := w.Remove(ctx, target); err != nil {
			return err
		}
	}
	return nil
}

// Copy copies one file with its mode and times; folders are made as needed.
func Copy(to *os.Root, target string, from *os.Root, name string) (err error) {
	defer upkeep.Wrap(&err, "keep %s", name)
	in, err := from.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if err := to.MkdirAll(path.Dir(target), 0o755); err != nil {
		return err
	}
	out, err := to.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, in); err == nil {
		err = out.Chmod(info.Mode().Perm())
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	return to.Chtimes(target, info.ModTime(), info.ModTime())
}

// IsFolder reports whether dir is a folder of the site.
func IsFolder(h cms.Host, dir string) (bool, error) {
	if dir == "" {
		return false, nil
	}
	root, err := h.Open(dir)
	if errors.Is(err, fs.ErrNotExist) || upkeep.CodeOf(err) == upkeep.CodeNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, root.Close()
}
