package feed

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"upkeep"
)

// MaxPackage is how large a package may be unless PackageOptions say otherwise.
const MaxPackage = 1 << 30

// Packages is the verified package store: every package is downloaded once,
// whoever asks, and its content is checked at every use.
//
// In its folder, refs/<key>.json says what an address and version gave, and
// content/<sha256> is that. Equal content is stored once.
type Packages struct {
	dir    string
	client *Client
	limit  int64
	keys   map[string]*Keys // of publishers whose signatures are checked
}

// Package is a package on this machine.
type Package struct {
	Path    string    `json:"path"`   // absolute; read-only, may be pruned when not used for long
	SHA256  string    `json:"sha256"` // of the content, checked just now
	Size    int64     `json:"size"`
	Fetched time.Time `json:"fetched"` // when it was downloaded
}

// Progress is told how many bytes of a package have arrived, and how many
// there are: 0 when the publisher does not say.
type Progress func(done, total int64)

// ref is what refs/<key>.json holds.
type ref struct {
	URL     string    `json:"url"` // redacted
	Version string    `json:"version"`
	SHA256  string    `json:"sha256"`
	Size    int64     `json:"size"`
	Fetched time.Time `json:"fetched"`
}

// NewPackages opens the store in dir, which it creates with mode 0700. limit
// bounds a package in bytes, 0 is MaxPackage.
func NewPackages(dir string, client *Client, limit int64) (_ *Packages, err error) {
	defer upkeep.Wrap(&err, "open package store %s", dir)
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{"", "refs", "content", "locks", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, diskError(err)
		}
	}
	return &Packages{dir: dir, client: client, limit: cmp.Or(limit, MaxPackage), keys: map[string]*Keys{}}, nil
}

// Trust has the signatures of a publisher's packages checked, of releases that say
// where theirs is. It is called before the first Fetch.
func (p *Packages) Trust(source string, keys *Keys) { p.keys[source] = keys }

// Fetch returns the package of a release, downloading it if it is not there
// or no longer what it was. Whoever asks for the same package meanwhile, in
// this or another process, waits and shares it.
//
// CodeHeld when the publisher wants a licence, CodeNotFound when it is gone,
// CodeRefused when it is not a package or not the published one,
// CodeUnreachable after retries, CodeNoSpace.
func (p *Packages) Fetch(ctx context.Context, release upkeep.Release, progress Progress) (_ Package, err error) {
	defer upkeep.Wrap(&err, "package %s %s", release.Slug, release.Version)
	if release.Package == "" {
		return Package{}, upkeep.Errorf(upkeep.CodeHeld, "no package is offered by %s", release.Source).
			WithHint("A licence is missing or expired: enter it in the site, then check again.")
	}
	if progress == nil {
		progress = func(int64, int64) {}
	}
	key := packageKey(release)
	unlock, err := lock(ctx, filepath.Join(p.dir, "locks", key))
	if err != nil {
		return Package{}, err
	}
	defer unlock()
	found, err := p.stored(key, release.Hashes)
	switch {
	case err == nil:
		progress(found.Size, found.Size)
	case upkeep.CodeOf(err) == upkeep.CodeInternal:
		return Package{}, err
	default:
		if found, err = p.download(ctx, key, release, progress); err != nil {
			return Package{}, err
		}
	}
	if keys := p.keys[release.Source]; keys != nil && release.Signature != "" {
		if err := p.signed(ctx, keys, release.Signature, found.Path); err != nil {
			return Package{}, err
		}
	}
	return found, nil
}

// packageKey names what a release's address gives: the same address may give
// another package for the next version.
func packageKey(release upkeep.Release) string {
	sum := sha256.Sum256([]byte(release.Package + "\n" + string(release.Version)))
	return hex.EncodeToString(sum[:16])
}

// stored returns the package that key stands for. CodeNotFound when there is
// none, CodeDamaged when it no longer reads back or is not what is published.
func (p *Packages) stored(key string, published map[string]string) (Package, error) {
	text, err := os.ReadFile(p.refPath(key))
	if errors.Is(err, fs.ErrNotExist) {
		return Package{}, upkeep.Errorf(upkeep.CodeNotFound, "not stored")
	} else if err != nil {
		return Package{}, err
	}
	var r ref
	if err := json.Unmarshal(text, &r); err != nil || len(r.SHA256) != 64 || strings.Trim(r.SHA256, "0123456789abcdef") != "" {
		return Package{}, upkeep.Errorf(upkeep.CodeDamaged, "%s does not read back", p.refPath(key))
	}
	path := p.contentPath(r.SHA256)
	f, err := os.Open(path)
	if err != nil {
		return Package{}, upkeep.Errorf(upkeep.CodeDamaged, "stored package is gone: %w", err)
	}
	defer f.Close()
	sums := newSums(published)
	size, err := io.Copy(sums, f)
	if err != nil || sums.sha256() != r.SHA256 {
		return Package{}, upkeep.Errorf(upkeep.CodeDamaged, "stored package %s has changed", path)
	}
	if err := sums.check(published); err != nil {
		return Package{}, upkeep.Errorf(upkeep.CodeDamaged, "stored package: %w", err)
	}
	now := p.client.clock()
	_ = os.Chtimes(p.refPath(key), now, now) // says to Prune that it is in use; failing only prunes sooner
	return Package{Path: path, SHA256: r.SHA256, Size: size, Fetched: r.Fetched}, nil
}

// keep moves a checked download to its place and writes the ref last: a ref
// never points at something that is not whole.
func (p *Packages) keep(key, tmp string, release upkeep.Release, r ref) (Package, error) {
	path := p.contentPath(r.SHA256)
	if err := os.Rename(tmp, path); err != nil {
		return Package{}, diskError(err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return Package{}, err
	}
	r.URL, r.Version, r.Fetched = Redact(release.Package), string(release.Version), p.client.clock()
	text, err := json.Marshal(r)
	if err != nil {
		return Package{}, err
	}
	if err := p.writeRef(key, text); err != nil {
		return Package{}, diskError(err)
	}
	return Package{Path: path, SHA256: r.SHA256, Size: r.Size, Fetched: r.Fetched}, nil
}

func (p *Packages) writeRef(key string, text []byte) error {
	f, err := os.CreateTemp(filepath.Join(p.dir, "tmp"), "ref-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already once renamed
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), p.refPath(key)); err != nil {
		return err
	}
	return syncDir(filepath.Dir(p.refPath(key)))
}

// Prune forgets packages that nobody fetched for as long as unused, and what
// broken downloads left. It returns how many bytes became free.
func (p *Packages) Prune(ctx context.Context, unused time.Duration) (freed int64, err error) {
	defer upkeep.Wrap(&err, "prune packages")
	before := p.client.clock().Add(-unused)
	refs, err := os.ReadDir(filepath.Join(p.dir, "refs"))
	if err != nil {
		return 0, err
	}
	used := make(map[string]bool)
	for _, entry := range refs {
		key := strings.TrimSuffix(entry.Name(), ".json")
		sha, err := p.forget(ctx, key, before)
		if err != nil {
			return freed, err
		}
		used[sha] = true
	}
	for _, sub := range []string{"content", "tmp"} {
		n, err := p.sweep(sub, used, before)
		if freed += n; err != nil {
			return freed, err
		}
	}
	return freed, nil
}

// forget removes a ref not used since before, or returns the content it needs.
func (p *Packages) forget(ctx context.Context, key string, before time.Time) (string, error) {
	lockPath := filepath.Join(p.dir, "locks", key)
	unlock, err := lock(ctx, lockPath)
	if err != nil {
		return "", err
	}
	defer unlock()
	info, err := os.Stat(p.refPath(key))
	if err != nil {
		return "", nil // forgotten meanwhile
	}
	if info.ModTime().Before(before) {
		return "", errors.Join(os.Remove(p.refPath(key)), os.Remove(lockPath))
	}
	var r ref
	text, err := os.ReadFile(p.refPath(key))
	if err != nil || json.Unmarshal(text, &r) != nil {
		return "", nil // refetched at its next use
	}
	return r.SHA256, nil
}

// sweep removes files that no ref needs. Young ones stay: their ref may be
// about to be written.
func (p *Packages) sweep(sub string, used map[string]bool, before time.Time) (freed int64, err error) {
	grace := p.client.clock().Add(-time.Hour)
	if before.After(grace) {
		before = grace
	}
	entries, err := os.ReadDir(filepath.Join(p.dir, sub))
	if err != nil {
		return 0, err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || used[entry.Name()] || !info.ModTime().Before(before) {
			continue
		}
		if err := os.Remove(filepath.Join(p.dir, sub, entry.Name())); err != nil {
			return freed, err
		}
		freed += info.Size()
	}
	return freed, nil
}

func (p *Packages) refPath(key string) string     { return filepath.Join(p.dir, "refs", key+".json") }
func (p *Packages) contentPath(sha string) string { return filepath.Join(p.dir, "content", sha) }

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func diskError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return upkeep.Errorf(upkeep.CodeNoSpace, "no space for packages: %w", err).
			WithHint("Free space on the disk of the state folder, or prune packages.")
	}
	return err
}
