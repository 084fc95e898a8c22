package drupal

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/drupal/layout"
	"upkeep/internal/cms/parcel"
)

//go:embed scripts/gate.php
var gateSource string

// maxSettings bounds settings.php.
const maxSettings = 4 << 20

// Gate closes the site, and each other of the same code, by its settings.php, which every entry of Drupal includes
// before anything else: pages, cron, updates, installation, XML-RPC, the
// command line. It comes before Drupal's own caches of pages. The folder of
// settings.php is closed to writing, so that the site's own code neither
// replaces nor deletes it; where Drupal closed it itself, as it likes to, it
// is open only while the file is exchanged.
//
// The site's own settings.php waits beside it, and is read for requests whose
// cms.TokenHeader carries token, which get pages that no cache had. With
// cms.ResetHeader besides, the web server's opcode cache is emptied. Nothing
// of this holds where PHP runs as root.
func (d *Driver) Gate(_ context.Context, h cms.Host, l *cms.Layout, token string) (_ *cms.Gate, err error) {
	defer upkeep.Wrap(&err, "gate of %s", l.Root)
	if len(token) < 16 {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "token of %d bytes, at least 16", len(token))
	}
	digest := sha256.Sum256([]byte(token))
	gate := &cms.Gate{}
	for _, site := range layout.Sites(l) {
		if err := addGate(gate, h, site.Dirs[layout.DirSite], hex.EncodeToString(digest[:])); err != nil {
			return nil, err
		}
	}
	return gate, nil
}

// addGate adds what closes one site of the code.
func addGate(gate *cms.Gate, h cms.Host, dir, digest string) error {
	site, err := h.Open(dir)
	if err != nil {
		return err
	}
	defer site.Close()
	folder, err := site.Stat(".")
	if err != nil {
		return err
	}
	own, mode, err := ownSettings(site)
	if err != nil {
		return err
	}
	gate.Files = append(gate.Files,
		// No newline after the digest: the file's last 64 bytes are it.
		cms.GateFile{Path: filepath.Join(dir, layout.Settings), Content: []byte(parcel.Gate(gateSource) + digest), Mode: 0o444, Refuses: true},
		cms.GateFile{Path: filepath.Join(dir, layout.Waiting), Content: own, Mode: mode & 0o444})
	gate.Modes = append(gate.Modes, cms.GateMode{Path: dir, Mode: folder.Mode().Perm() &^ 0o222, Opens: true})
	return nil
}

// ownSettings is the site's own settings.php, also while the gate is closed.
func ownSettings(site *os.Root) (text []byte, mode os.FileMode, err error) {
	for _, name := range []string{layout.Settings, layout.Waiting} {
		text, err = cms.ReadBounded(site, name, maxSettings)
		if err == nil && strings.Contains(string(text), layout.Mark) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		info, err := site.Stat(name)
		if err != nil {
			return nil, 0, err
		}
		return text, info.Mode().Perm(), nil
	}
	return nil, 0, upkeep.Errorf(upkeep.CodeInvalid, "the site's own settings.php is gone").WithHint("Restore it from a backup.")
}
