package known

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"path"
	"path/filepath"

	"upkeep"
	"upkeep/internal/cms"
)

//go:embed scripts/gate.php
var gateSource string

const (
	gateMark = "__halt_compiler();UPKEEP_AT_WORK " // then the digest, a newline, and what the gate took the place of
	maxGate  = 8 << 10                             // more than the gate itself needs
)

// Gate closes the site by the file that every request runs before it writes
// anything, and by a folder in which the site's own code can neither replace
// nor delete it. Nobody gets in, with the token or without: there is nothing
// to be verified behind this gate. With cms.ResetHeader and the token the web
// server's opcode cache is emptied. What the site's file says can be read
// behind the gate, since it may be the configuration.
//
// It is as good as what is known of the application: of one that is known by
// its structure alone, scripts that do not go through its front are not met.
// CodeConflict when there is no such file.
func (d *Driver) Gate(_ context.Context, h cms.Host, l *cms.Layout, token string) (_ *cms.Gate, err error) {
	defer upkeep.Wrap(&err, "gate of %s", l.Root)
	if len(token) < 16 {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "token of %d bytes, at least 16", len(token))
	}
	entry := l.Options[optionEntry]
	if entry == "" {
		return nil, upkeep.Errorf(upkeep.CodeConflict, "no file of this site is known that closes it").
			WithHint("Close it at the web server, or restore into another folder.")
	}
	root, err := h.Open(l.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	own, err := cms.ReadBounded(root, entry, maxSettings+maxGate)
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(entry)
	if err != nil {
		return nil, err
	}
	dir, err := root.Stat(path.Dir(entry))
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte(token))
	content := bytes.Join([][]byte{[]byte(gateSource), []byte(gateMark), []byte(hex.EncodeToString(digest[:])), []byte("\n"), behindGate(own)}, nil)
	return &cms.Gate{
		Files: []cms.GateFile{{Path: filepath.Join(l.Root, entry), Content: content, Mode: info.Mode().Perm() &^ 0o222}},
		Modes: []cms.GateMode{{Path: filepath.Join(l.Root, path.Dir(entry)), Mode: dir.Mode().Perm() &^ 0o222}},
	}, nil
}

// behindGate returns what a file says when no gate stands in its place.
func behindGate(text []byte) []byte {
	_, rest, ok := bytes.Cut(text, []byte(gateMark))
	if !ok || len(rest) <= sha256.Size*2 {
		return text
	}
	return rest[sha256.Size*2+1:]
}
