package known

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"upkeep"
	"upkeep/internal/cms"
)

//go:embed scripts/gate.php
var gateSource string

const (
	gateMark = "__halt_compiler();UPKEEP_AT_WORK " // then the digest, a newline, and what the gate took the place of
	maxGate  = 8 << 10                             // more than the gate itself needs
	maxEntry = 4 << 20                             // of a file that it takes the place of
)

// Gate closes the site by the file that every request runs before it writes
// anything, besides by its front page, and by folders in which the site's own
// code can neither replace nor delete these. Nobody gets in, with the token or
// without: there is nothing to be verified behind this gate. With
// cms.ResetHeader and the token the web server's opcode cache is emptied. What
// the files said can be read behind the gate, since one may be the
// configuration.
//
// It is as good as what is known of the application: of one that is known by
// its structure alone, scripts that go neither through Composer's libraries nor
// through its front page are not met. Of a site whose files are gone only the
// folder is closed: once they are restored nothing keeps visitors out.
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
	head := gateSource + gateMark + hex.EncodeToString(digest[:]) + "\n"
	gate := &cms.Gate{}
	closed := map[string]bool{}
	for _, name := range d.entries(root) {
		own, err := cms.ReadBounded(root, name, maxEntry)
		if err != nil {
			return nil, err
		}
		info, err := root.Stat(name)
		if err != nil {
			return nil, err
		}
		gate.Files = append(gate.Files, cms.GateFile{
			Path: filepath.Join(l.Root, name), Content: append([]byte(head), behindGate(own)...), Mode: info.Mode().Perm() &^ 0o222,
		})
		closed[path.Dir(name)] = true
	}
	if len(closed) == 0 {
		closed["."] = true
	}
	for _, dir := range slices.Sorted(maps.Keys(closed)) {
		info, err := root.Stat(dir)
		if err != nil {
			return nil, err
		}
		gate.Modes = append(gate.Modes, cms.GateMode{Path: filepath.Join(l.Root, dir), Mode: info.Mode().Perm() &^ 0o222})
	}
	return gate, nil
}

// entries returns the files that are there and that the gate takes the place
// of: first the one that refuses whatever visitors ask for.
func (d *Driver) entries(root *os.Root) []string {
	fronts := []string{"index.php"}
	for _, dir := range d.app.Fronts {
		fronts = append(fronts, dir+"/index.php")
	}
	there := func(name string) bool {
		info, err := root.Lstat(name)
		return err == nil && info.Mode().IsRegular()
	}
	var names []string
	if at := slices.IndexFunc(d.app.Entry, there); at >= 0 {
		names = append(names, d.app.Entry[at])
	}
	for _, name := range fronts {
		if there(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// behindGate returns what a file says when no gate stands in its place.
func behindGate(text []byte) []byte {
	_, rest, ok := bytes.Cut(text, []byte(gateMark))
	if !ok || len(rest) <= sha256.Size*2 {
		return text
	}
	return rest[sha256.Size*2+1:]
}
