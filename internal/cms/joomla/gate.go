package joomla

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"io/fs"
	"path"
	"path/filepath"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/joomla/layout"
	"upkeep/internal/cms/parcel"
)

//go:embed scripts/gate.php
var gateSource string

// exempt are Joomla's scripts that unpack an archive over the site without
// including anything of it, in the releases that have them.
var exempt = [...]string{
	"administrator/components/com_joomlaupdate/extract.php", "administrator/components/com_joomlaupdate/restore.php",
}

// Gate closes the site by defines.php, which each of Joomla's applications
// (site, administrator, web services, command line) includes from its own
// folder before anything else, and by taking away the scripts that go past
// it. The command line is let through, save what a clock starts.
//
// A defines.php of the site's own waits beside it, and is run for requests
// whose cms.TokenHeader carries token. Those requests keep sessions, caches
// and logs in a folder of their own outside the site, which goes with them,
// unless the site's own file says where the configuration is. With
// cms.ResetHeader besides, the web server's opcode cache is emptied.
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
	digest := sha256.Sum256([]byte(token))
	gate := &cms.Gate{}
	for _, dir := range []string{"", "administrator", "api"} {
		name, waiting := path.Join(dir, layout.Defines), path.Join(dir, layout.Waiting)
		if info, err := root.Stat(path.Join(dir, ".")); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
			continue
		}
		own, err := layout.Own(root, name, waiting)
		if err != nil {
			return nil, err
		}
		// No newline after the digest: the file's last 64 bytes are it.
		gate.Files = append(gate.Files, cms.GateFile{
			Path: filepath.Join(l.Root, name), Content: []byte(parcel.Gate(gateSource) + hex.EncodeToString(digest[:])), Mode: 0o444,
		})
		if own != nil {
			gate.Files = append(gate.Files, cms.GateFile{Path: filepath.Join(l.Root, waiting), Content: own, Mode: 0o444})
		}
	}
	for _, name := range exempt {
		gate.Modes = append(gate.Modes, cms.GateMode{Path: filepath.Join(l.Root, name), Mode: 0})
	}
	return gate, nil
}
