// Package parcel handles unpacked packages of WordPress, its plugins, themes
// and translations: it checks them against the update they are for, puts them
// in place, and tells afterwards whether all of it arrived.
package parcel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/php"
)

// maxSource bounds a PHP or CSS file that is read for what it says.
const maxSource = 4 << 20

// parcel is an unpacked package on its way to becoming a cms.Staged.
type parcel struct {
	ctx    context.Context
	host   cms.Host
	layout *cms.Layout
	root   *os.Root // of the unpacked package
	staged *cms.Staged
}

// Stage checks an unpacked package and says which folder or file takes which
// place. It changes nothing. CodeRefused when the package is not what the
// update promised, needs what the site has not, or would take away more than
// the component it is for.
func Stage(ctx context.Context, h cms.Host, l *cms.Layout, update upkeep.Update, unpacked string) (_ *cms.Staged, err error) {
	defer upkeep.Wrap(&err, "package of %s %s", update.Ref(), update.Release.Version)
	if update.Component.Link != "" {
		return nil, refused("%s is a link to %s", update.Component.Path, update.Component.Link).
			WithHint("It is kept elsewhere: update it there, or replace the link by the folder itself.")
	}
	root, err := h.Open(unpacked)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	p := &parcel{ctx: ctx, host: h, layout: l, root: root,
		staged: &cms.Staged{Update: update, Dir: unpacked, Files: map[string]string{}}}
	switch update.Component.Kind {
	case upkeep.Core:
		err = p.core()
	case upkeep.Plugin:
		err = p.plugin()
	case upkeep.Theme:
		err = p.theme()
	case upkeep.Language:
		err = p.language()
	default:
		err = refused("components of kind %s are not updated", update.Component.Kind)
	}
	if err != nil {
		return nil, err
	}
	return p.staged, nil
}

func refused(format string, args ...any) *upkeep.Error {
	return upkeep.Errorf(upkeep.CodeRefused, format, args...)
}

func (p *parcel) component() *upkeep.Component { return &p.staged.Update.Component }
func (p *parcel) release() *upkeep.Release     { return &p.staged.Update.Release }

// entries lists the top of the package without what macOS adds to archives,
// which WordPress ignores too.
func (p *parcel) entries() ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(p.root.FS(), ".")
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

// folder requires that the package is one folder of that name.
func (p *parcel) folder(want string) error {
	entries, err := p.entries()
	if err != nil {
		return err
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if len(entries) != 1 || !entries[0].IsDir() || names[0] != want {
		return refused("holds %s instead of one folder %s", cms.List(names), want)
	}
	return nil
}

// take plans the move of from, a file or folder of the package, to the place
// to (absolute), and notes what every file there must then be.
func (p *parcel) take(from, to string) error {
	p.staged.Moves = append(p.staged.Moves, cms.Move{From: from, To: to})
	return fs.WalkDir(p.root.FS(), from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if !entry.Type().IsRegular() {
			return refused("%s is not a regular file", name)
		}
		if err := p.ctx.Err(); err != nil {
			return upkeep.Errorf(upkeep.CodeInterrupted, "stopped: %w", err)
		}
		sum, err := Sum(p.root, name)
		if err != nil {
			return err
		}
		key, err := filepath.Rel(p.component().Path, filepath.Join(to, strings.TrimPrefix(name, from)))
		if err != nil {
			return err
		}
		p.staged.Files[filepath.ToSlash(key)] = sum
		return nil
	})
}

// read returns a file of the package, or nil when there is none.
func (p *parcel) read(name string) ([]byte, error) {
	text, err := cms.ReadBounded(p.root, name, maxSource)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// promised compares the version found in the package with the release's.
func (p *parcel) promised(found string) error {
	want := string(p.release().Version)
	if found == "" || found != want && php.CompareVersions(found, want) != 0 {
		return refused("holds version %q, promised %q", found, want)
	}
	return nil
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

// base is the last part of a slash path, "" for none.
func base(p string) string {
	if p == "" {
		return ""
	}
	return path.Base(p)
}
