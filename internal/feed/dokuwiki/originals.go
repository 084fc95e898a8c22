package dokuwiki

import (
	"archive/tar"
	"compress/gzip"
	"context"
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
	maxFiles    = 50_000
	maxUnpacked = 1 << 30
)

// Originals returns what the files of the installed release of DokuWiki are,
// read from its package: no hashes are published, of extensions none that
// would last, as their packages are whatever their authors wrote last.
func (p *Publisher) Originals(ctx context.Context, components []upkeep.Component) (map[string]upkeep.Original, []error) {
	originals := map[string]upkeep.Original{}
	for i := range components {
		c := &components[i]
		if c.Kind != upkeep.Core || p.o.Packages == nil || !versionForm.MatchString(string(c.Version)) {
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
	defer upkeep.Wrap(&err, "original files of DokuWiki %s", version)
	pkg, err := p.o.Packages.Fetch(ctx, upkeep.Release{
		Kind: upkeep.Core, Slug: "dokuwiki", Version: upkeep.Version(version), Package: p.packageOf(version), Source: Source,
	}, nil)
	if err != nil {
		return upkeep.Original{}, err
	}
	return hash(pkg.Path)
}

// hash returns what the files of a release are, below its one folder.
func hash(file string) (_ upkeep.Original, err error) {
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

// soft are files whose change or absence does not matter to an update:
// documents, examples, and languages, which DokuWiki has a tool to remove.
func soft(name string) bool {
	switch path.Base(name) {
	case "README", "COPYING", "LICENSE", "SECURITY.md", "_dummy", ".htaccess":
		return true
	}
	lang := strings.Contains(name, "/lang/") && !strings.Contains(name, "/lang/en/")
	return lang || strings.HasSuffix(name, ".dist") || strings.HasSuffix(name, ".example")
}
