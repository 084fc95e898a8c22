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
	maxUnpacked = 2 << 30
)

// Tarball calls each for every regular file of a tar.gz package, by its path
// below the package's one folder, until each returns false. CodeRefused when the
// package does not read, or is larger than any release.
func Tarball(file string, each func(name string, content io.Reader) (bool, error)) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		return upkeep.Errorf(upkeep.CodeRefused, "no gzip package: %w", err)
	}
	archive := tar.NewReader(io.LimitReader(unpacked, maxUnpacked))
	for count := 0; ; {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return upkeep.Errorf(upkeep.CodeRefused, "the package does not read: %w", err)
		}
		_, name, below := strings.Cut(strings.TrimPrefix(head.Name, "./"), "/")
		if head.Typeflag != tar.TypeReg || !below || path.Clean(name) != name || strings.HasPrefix(name, "../") {
			continue
		}
		if count++; count > maxFiles {
			return upkeep.Errorf(upkeep.CodeRefused, "holds more than %d files", maxFiles)
		}
		more, err := each(name, archive)
		if err != nil {
			return upkeep.Errorf(upkeep.CodeRefused, "%s: %w", name, err)
		}
		if !more {
			return nil
		}
	}
}

// Original returns what the files of a package are; soft says whose change
// or absence does not matter to an update.
func Original(file string, soft func(name string) bool) (upkeep.Original, error) {
	original := upkeep.Original{Files: map[string][]string{}}
	err := Tarball(file, func(name string, content io.Reader) (bool, error) {
		sum := sha256.New()
		if _, err := io.Copy(sum, content); err != nil {
			return false, err
		}
		original.Files[name] = []string{hex.EncodeToString(sum.Sum(nil))}
		if soft(name) {
			original.Soft = append(original.Soft, name)
		}
		return true, nil
	})
	if err != nil {
		return upkeep.Original{}, err
	}
	return original, nil
}
