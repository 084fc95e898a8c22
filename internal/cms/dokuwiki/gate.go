package dokuwiki

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
	"upkeep/internal/cms/dokuwiki/layout"
	"upkeep/internal/cms/parcel"
)

//go:embed scripts/gate.php
var gateSource string

// maxPreload bounds the site's own inc/preload.php.
const maxPreload = 4 << 20

// Gate closes the site by inc/preload.php, which inc/init.php includes before
// it does anything, and every script of DokuWiki, its plugins and its command
// line includes that first. Only index.php of old releases does not: it leads
// to doku.php and does nothing else. The folder inc is closed to writing, so
// that the site's own code neither replaces nor deletes the file.
//
// A preload.php of the site's own waits beside it, and is run for requests
// whose cms.TokenHeader carries token. Those requests keep caches, locks and
// logs in a folder of their own outside the site, which goes with them: what
// they see is made anew, and the site's files stay as they are. With
// cms.ResetHeader besides, the web server's opcode cache is emptied. Nothing
// of this holds where PHP runs as root.
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
	inc, err := root.Stat("inc")
	if err != nil {
		return nil, err
	}
	own, err := ownPreload(root)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte(token))
	gate := &cms.Gate{
		// No newline after the digest: the file's last 64 bytes are it.
		Files: []cms.GateFile{{
			Path: filepath.Join(l.Root, layout.Preload), Content: []byte(parcel.Gate(gateSource) + hex.EncodeToString(digest[:])), Mode: 0o444,
		}},
		Modes: []cms.GateMode{{Path: filepath.Join(l.Root, "inc"), Mode: inc.Mode().Perm() &^ 0o222}},
	}
	if own != nil {
		gate.Files = append(gate.Files, cms.GateFile{Path: filepath.Join(l.Root, layout.Waiting), Content: own, Mode: 0o444})
	}
	return gate, nil
}

// ownPreload is the site's own preload.php, also while the gate is closed.
func ownPreload(root *os.Root) ([]byte, error) {
	text, err := cms.ReadBounded(root, layout.Preload, maxPreload)
	if err == nil && strings.Contains(string(text), layout.Mark) {
		text, err = cms.ReadBounded(root, layout.Waiting, maxPreload)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}
