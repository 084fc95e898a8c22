package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/andybalholm/brotli"

	"upkeep"
)

// largest is the most that a package may unpack to.
const largest = 512 << 20

// fetch gets the package, holds it against its hash and packs what is taken.
func (p *fetched) fetch(ctx context.Context) (err error) {
	defer upkeep.Wrap(&err, "%s %s", p.name, p.version)
	archive, err := p.download(ctx)
	if err != nil {
		return err
	}
	sum := sha512.Sum512(archive)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != p.integrity {
		return upkeep.Errorf(upkeep.CodeRefused, "the package is not the listed one: %s", got).
			WithHint("Look at what changed before the hash in %s does.", listFile)
	}
	files, err := unpack(archive)
	if err != nil {
		return err
	}
	if err := p.keep(files); err != nil {
		return err
	}
	return p.licence(files)
}

// download has npm fetch the package, by whatever registry it is set up for.
func (p *fetched) download(ctx context.Context) ([]byte, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "npm is not here").WithHint("make setup installs it.")
	}
	work, err := os.MkdirTemp("", "upkeep-assets-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	cmd := exec.CommandContext(ctx, npm, "pack", "--loglevel=error", "--no-update-notifier", p.name+"@"+p.version)
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, upkeep.Errorf(upkeep.CodeUnreachable, "npm pack: %w: %s", err, bytes.TrimSpace(out))
	}
	archives, err := filepath.Glob(filepath.Join(work, "*.tgz"))
	if err != nil || len(archives) != 1 {
		return nil, errors.Join(err, upkeep.Errorf(upkeep.CodeNotFound, "npm pack left %d archives", len(archives)))
	}
	return os.ReadFile(archives[0])
}

// unpack returns the files of an archive by their path in the package.
func unpack(archive []byte) (map[string][]byte, error) {
	plain, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	reader := tar.NewReader(io.LimitReader(plain, largest))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			return nil, err
		}
		_, name, _ := strings.Cut(path.Clean(header.Name), "/")
		files[name] = content
	}
}

// keep packs what is taken of the package.
func (p *fetched) keep(files map[string][]byte) error {
	for _, t := range p.take {
		content, ok := files[t.from]
		if !ok {
			return upkeep.Errorf(upkeep.CodeNotFound, "%s is not in the package", t.from)
		}
		if t.tests {
			if err := os.WriteFile(filepath.Join(forTests, t.to), content, 0o644); err != nil {
				return err
			}
			continue
		}
		if err := pack(t.to, withoutMap(content)); err != nil {
			return err
		}
	}
	if len(p.icons) == 0 {
		return nil
	}
	sprite, err := drawn(files, p.icons)
	if err != nil {
		return err
	}
	return pack("icons.svg", sprite)
}

var sourceMap = regexp.MustCompile(`(?m)^(//|/\*)# sourceMappingURL=.*$`)

// withoutMap drops the note that leads a browser to a file that is not here.
func withoutMap(content []byte) []byte { return sourceMap.ReplaceAll(content, nil) }

var drawing = regexp.MustCompile(`(?s)<svg[^>]*>(.*)</svg>`)

// drawn makes one sprite of icons.
func drawn(files map[string][]byte, names []string) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString(`<svg xmlns="http://www.w3.org/2000/svg">`)
	for _, name := range names {
		m := drawing.FindSubmatch(files["icons/outline/"+name+".svg"])
		if m == nil {
			return nil, upkeep.Errorf(upkeep.CodeNotFound, "no icon %s", name)
		}
		fmt.Fprintf(&out, `<symbol id="%s" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">%s</symbol>`,
			name, bytes.Join(bytes.Fields(m[1]), []byte(" ")))
	}
	out.WriteString("</svg>\n")
	return out.Bytes(), nil
}

// pack writes a file as the server sends it. Fonts are compressed already.
func pack(name string, content []byte) error {
	if path.Ext(name) == ".woff2" {
		return os.WriteFile(filepath.Join(packed, name), content, 0o644)
	}
	var small, smaller bytes.Buffer
	zipped, err := gzip.NewWriterLevel(&small, gzip.BestCompression)
	if err != nil {
		return err
	}
	squeezed := brotli.NewWriterLevel(&smaller, brotli.BestCompression)
	for _, w := range []io.WriteCloser{zipped, squeezed} {
		if _, err := w.Write(content); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	return errors.Join(
		os.WriteFile(filepath.Join(packed, name+".gz"), small.Bytes(), 0o644),
		os.WriteFile(filepath.Join(packed, name+".br"), smaller.Bytes(), 0o644))
}

var (
	licenceName = regexp.MustCompile(`(?i)^licen[cs]e(\.(md|txt))?$`)
	banner      = regexp.MustCompile(`(?s)^(?:@charset "UTF-8";)?\s*(/\*!.*?\*/)`)
)

// licence keeps the terms of the package for THIRD_PARTY_NOTICES: its licence
// file, else what it says of itself.
func (p *fetched) licence(files map[string][]byte) error {
	text := files["package.json"]
	for name, content := range files {
		if licenceName.MatchString(name) {
			text = content
		}
	}
	for _, t := range p.take {
		if m := banner.FindSubmatch(files[t.from]); m != nil && bytes.Equal(text, files["package.json"]) {
			text = m[1]
		}
		if t.tests {
			return nil
		}
	}
	name := strings.NewReplacer("/", "_", "@", "").Replace(p.name) + "_" + p.version + ".licence"
	return os.WriteFile(filepath.Join(packed, name), text, 0o644)
}
