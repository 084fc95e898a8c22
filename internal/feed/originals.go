package feed

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path"
	"strings"

	"upkeep"
)

// Bounds of a release that is read for its files.
const (
	maxFiles    = 100_000
	maxUnpacked = 1 << 30
)

// Original returns what the files of a package are, a tar.gz of one folder, by
// their path below that. soft says of which a change does not matter to an
// update. CodeRefused for what does not read.
func Original(file string, soft func(name string) bool) (_ upkeep.Original, err error) {
	f, err := os.Open(file)
	if err != nil {
		return upkeep.Original{}, err
	}
	defer f.Close()
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		return upkeep.Original{}, upkeep.Errorf(upkeep.CodeRefused, "no gzip package: %w", err)
	}
	original := upkeep.Original{Files: map[string][]string{}}
	archive := tar.NewReader(io.LimitReader(unpacked, maxUnpacked))
	for {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return original, nil
		}
		if err != nil {
			return upkeep.Original{}, upkeep.Errorf(upkeep.CodeRefused, "the package does not read: %w", err)
		}
		if len(original.Files) >= maxFiles {
			return upkeep.Original{}, upkeep.Errorf(upkeep.CodeRefused, "holds more than %d files", maxFiles)
		}
		_, name, below := strings.Cut(strings.TrimPrefix(head.Name, "./"), "/")
		if head.Typeflag != tar.TypeReg || !below || path.Clean(name) != name || strings.HasPrefix(name, "../") {
			continue
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, archive); err != nil {
			return upkeep.Original{}, upkeep.Errorf(upkeep.CodeRefused, "%s: %w", name, err)
		}
		original.Files[name] = []string{hex.EncodeToString(sum.Sum(nil))}
		if soft(name) {
			original.Soft = append(original.Soft, name)
		}
	}
}
