package mediawiki

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"os"
	"path/filepath"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/mediawiki/layout"
	"upkeep/internal/cms/parcel"
)

//go:embed scripts/gate.php
var gateSource string

// maxSettings bounds LocalSettings.php, and the gate that holds one.
const maxSettings = 8 << 20

// Gate closes the site by LocalSettings.php, which every entry (pages, api,
// rest, load, thumb, img_auth, opensearch_desc, jobs and every maintenance
// script) includes before it looks at the request. $wgReadOnly would not do:
// sessions, caches, jobs and file operations go on under it. The installer,
// which upgrades without that file, loses its script. The root is closed to
// writing, so that the site's own code neither replaces nor deletes the file.
//
// The site's own configuration waits beside it, and is run for requests whose
// cms.TokenHeader carries token, with caches, jobs and sessions that leave
// nothing behind. With cms.ResetHeader besides, the web server's opcode cache is
// emptied. Nothing of this holds where PHP runs as root.
func (d *Driver) Gate(_ context.Context, h cms.Host, l *cms.Layout, token string) (_ *cms.Gate, err error) {
	defer upkeep.Wrap(&err, "gate of %s", l.Root)
	if len(token) < 16 {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "token of %d bytes, at least 16", len(token))
	}
	root, err := h.Open(l.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(".")
	if err != nil {
		return nil, err
	}
	own, mode, err := ownSettings(root)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte(token))
	return &cms.Gate{
		// The gate holds the configuration too, so that it is known whatever
		// dies between the two; nobody may read it now who could not before.
		// No newline after the digest: the file's last 64 bytes are it.
		Files: []cms.GateFile{
			{Path: filepath.Join(l.Root, layout.LocalSettings), Content: []byte(parcel.Gate(gateSource) + layout.Keep(own) + hex.EncodeToString(digest[:])), Mode: mode &^ 0o222},
			{Path: filepath.Join(l.Root, layout.Waiting), Content: own, Mode: mode &^ 0o222},
		},
		Modes: []cms.GateMode{
			{Path: filepath.Join(l.Root, "mw-config/index.php"), Mode: 0}, // also where it is missing: a release brings it
			{Path: l.Root, Mode: info.Mode().Perm() &^ 0o222},
		},
	}, nil
}

// ownSettings is the site's own LocalSettings.php, also while the gate is
// closed, with its mode.
func ownSettings(root *os.Root) ([]byte, os.FileMode, error) {
	info, err := root.Stat(layout.LocalSettings)
	if err != nil {
		return nil, 0, err
	}
	text, err := cms.ReadBounded(root, layout.LocalSettings, maxSettings)
	if err != nil {
		return nil, 0, err
	}
	own, err := layout.Own(text)
	return own, info.Mode().Perm(), err
}
