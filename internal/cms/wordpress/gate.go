package wordpress

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"path/filepath"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/wordpress/layout"
)

//go:embed scripts/gate.php
var gateSource string

// exempt are the scripts of WordPress that announce an installation and so
// walk past its maintenance gate. Each of them writes to the database.
var exempt = [...]string{"wp-activate.php", "wp-admin/install.php", "wp-admin/setup-config.php", "wp-admin/upgrade.php"}

// Gate closes the site by WordPress's own maintenance file, which runs before
// caches and plugins on every entry (pages, REST, XML-RPC, admin-ajax, cron,
// comments, mail, trackbacks, with or without SHORTINIT), by taking away the
// scripts that pass it, and by a root folder in which the site's own upgraders,
// being the same user, can neither replace nor delete that file.
//
// A request whose cms.TokenHeader carries token is let in; with
// cms.ResetHeader besides it also empties the web server's opcode cache and
// answers "done" or "refused" in a header of that name. Nothing of this holds
// where PHP runs as root.
func (d *Driver) Gate(_ context.Context, h cms.Host, l *cms.Layout, token string) (_ *cms.Gate, err error) {
	defer upkeep.Wrap(&err, "gate of %s", l.Root)
	if len(token) < 16 {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "token of %d bytes, at least 16", len(token))
	}
	root, err := h.Open(layout.CoreDir(l))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(".")
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte(token))
	gate := &cms.Gate{
		// No newline after the digest: the file's last 64 bytes are it.
		Files: []cms.GateFile{{
			Path:    filepath.Join(layout.CoreDir(l), ".maintenance"),
			Content: []byte(gateSource + hex.EncodeToString(digest[:])),
			Mode:    0o444,
		}},
	}
	for _, name := range exempt {
		// Also those that are missing: a new release may bring them back.
		gate.Modes = append(gate.Modes, cms.GateMode{Path: filepath.Join(layout.CoreDir(l), name), Mode: 0})
	}
	gate.Modes = append(gate.Modes, cms.GateMode{Path: layout.CoreDir(l), Mode: info.Mode().Perm() &^ 0o222})
	return gate, nil
}
