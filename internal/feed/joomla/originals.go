package joomla

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"path"
	"regexp"
	"strings"

	"upkeep"
)

// Bounds of a release that is read for its files.
const (
	maxFiles    = 50_000
	maxUnpacked = 1 << 30
)

var stable = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+$`)

// Originals returns what the files of the installed release of Joomla are,
// read from its package. Of extensions nothing is published that would last.
func (p *Publisher) Originals(ctx context.Context, components []upkeep.Component) (map[string]upkeep.Original, []error) {
	originals := map[string]upkeep.Original{}
	for i := range components {
		c := &components[i]
		if c.Kind != upkeep.Core || p.o.Packages == nil || !stable.MatchString(string(c.Version)) {
			continue
		}
		original, err := p.original(ctx, string(c.Version))
		switch {
		case upkeep.CodeOf(err) == upkeep.CodeNotFound: // not kept any more
		case err != nil:
			return originals, []error{err}
		default:
			originals[c.Ref()] = original
		}
	}
	return originals, nil
}

func (p *Publisher) original(ctx context.Context, version string) (_ upkeep.Original, err error) {
	defer upkeep.Wrap(&err, "original files of Joomla %s", version)
	pkg, err := p.o.Packages.Fetch(ctx, upkeep.Release{
		Kind: upkeep.Core, Slug: "joomla", Version: upkeep.Version(version), Source: Source,
		Package: p.o.Downloads + "/" + version + "/Joomla_" + version + "-Stable-Full_Package.zip",
	}, nil)
	if err != nil {
		return upkeep.Original{}, err
	}
	return filesOf(pkg.Path)
}

// filesOf returns what the files of a release are.
func filesOf(file string) (upkeep.Original, error) {
	archive, err := zip.OpenReader(file)
	if err != nil {
		return upkeep.Original{}, upkeep.Errorf(upkeep.CodeRefused, "the package does not read: %w", err)
	}
	defer archive.Close()
	if len(archive.File) > maxFiles {
		return upkeep.Original{}, upkeep.Errorf(upkeep.CodeRefused, "holds more than %d files", maxFiles)
	}
	original, left := upkeep.Original{Files: map[string][]string{}}, int64(maxUnpacked)
	for _, entry := range archive.File {
		if !entry.Mode().IsRegular() || path.Clean(entry.Name) != entry.Name || strings.HasPrefix(entry.Name, "../") || strings.HasPrefix(entry.Name, "/") {
			continue
		}
		sum, size, err := sumOf(entry, left)
		if err != nil {
			return upkeep.Original{}, upkeep.Errorf(upkeep.CodeRefused, "%s: %w", entry.Name, err)
		}
		left -= size
		original.Files[entry.Name] = []string{sum}
		if soft(entry.Name) {
			original.Soft = append(original.Soft, entry.Name)
		}
	}
	return original, nil
}

func sumOf(entry *zip.File, limit int64) (string, int64, error) {
	in, err := entry.Open()
	if err != nil {
		return "", 0, err
	}
	defer in.Close()
	hash := sha256.New()
	size, err := io.Copy(hash, io.LimitReader(in, limit+1))
	if err == nil && size > limit {
		err = upkeep.Errorf(upkeep.CodeRefused, "the package unpacks to more than %d bytes", maxUnpacked)
	}
	return hex.EncodeToString(hash.Sum(nil)), size, err
}

// soft are files whose change or absence does not matter to an update:
// documents, examples, empty pages, translations, and what owners style.
func soft(name string) bool {
	base := path.Base(name)
	return base == "index.html" || !strings.Contains(name, "/") && !strings.HasSuffix(name, ".php") || strings.HasSuffix(base, ".ini") ||
		strings.HasSuffix(base, ".css") || strings.HasSuffix(base, ".css.gz") || strings.HasPrefix(name, "templates/") || strings.HasPrefix(name, "images/")
}
