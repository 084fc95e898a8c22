package inventory

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"upkeep"
	"upkeep/internal/cms/recall"
)

// Limits of a Cache: past cacheFiles entries it starts anew, which keeps it
// below some 15 MB.
const (
	cacheFiles = 60_000
	cacheBytes = 64 << 20 // of a saved cache
)

// settled is how long a file must have been left alone before what it says is
// remembered: a second write within the clock's grain would not show in its
// times.
const settled = 3 * time.Second

// phpAge is how long an interpreter's version is believed at most; that its
// file changed is noticed at once.
const phpAge = 24 * time.Hour

// Cache remembers the headers of files by device, inode, size and times, so
// that a file is read again only after it changed. It is safe for concurrent
// use; one Cache serves any number of sites.
type Cache struct {
	mu    sync.Mutex
	files map[fileKey]cachedFile
	php   map[string]cachedPHP // by interpreter
	cores recall.Texts[coreFile]
}

// fileKey identifies a file and the moment of its last change.
type fileKey struct {
	Device, Inode uint64
	Size          int64
	MTime, CTime  int64
}

type cachedFile struct {
	Set     string            `json:"s"`           // which headers were looked for
	Headers map[string]string `json:"h,omitempty"` // those that were found
	Names   []string          `json:"n,omitempty"` // of a folder: its PHP files, and version control
}

type cachedPHP struct {
	Version upkeep.Version
	At      time.Time
}

// NewCache returns an empty cache.
func NewCache() *Cache {
	return &Cache{files: map[fileKey]cachedFile{}, php: map[string]cachedPHP{}}
}

// keyOf returns false for a file whose stat cannot vouch for its content.
func keyOf(info fs.FileInfo, now time.Time) (fileKey, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileKey{}, false
	}
	key := fileKey{uint64(st.Dev), st.Ino, st.Size, st.Mtim.Nano(), st.Ctim.Nano()}
	return key, now.UnixNano()-max(key.MTime, key.CTime) > int64(settled)
}

func (c *Cache) headers(key fileKey, set string) (map[string]string, bool) {
	if c == nil {
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, ok := c.files[key]
	return entry.Headers, ok && entry.Set == set
}

func (c *Cache) remember(key fileKey, set string, headers map[string]string) {
	c.keep(key, cachedFile{Set: set, Headers: headers})
}

// folderSet is the set of a folder's entry.
const folderSet = "folder"

func (c *Cache) names(key fileKey) ([]string, bool) {
	if c == nil {
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, ok := c.files[key]
	return entry.Names, ok && entry.Set == folderSet
}

func (c *Cache) rememberNames(key fileKey, names []string) {
	c.keep(key, cachedFile{Set: folderSet, Names: names})
}

func (c *Cache) keep(key fileKey, file cachedFile) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.files) >= cacheFiles {
		clear(c.files)
	}
	c.files[key] = file
}

// core returns what the version.php of the WordPress in dir says.
func (c *Cache) core(dir string, text []byte) coreFile {
	if c == nil {
		return parseVersionFile(text)
	}
	return c.cores.Of(dir, text, parseVersionFile)
}

func (c *Cache) phpVersion(interpreter string, now time.Time) (upkeep.Version, bool) {
	if c == nil {
		return "", false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, ok := c.php[interpreter]
	return entry.Version, ok && now.Sub(entry.At) < phpAge
}

func (c *Cache) rememberPHP(interpreter string, version upkeep.Version, now time.Time) {
	if c == nil || version == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.php[interpreter] = cachedPHP{version, now}
}

// interpreters tells by their stat whether a host's usual PHP commands are
// still the same ones. The interpreter is the host's: sites share what is
// known of it.
func interpreters() string {
	mark := "php"
	for _, file := range [...]string{"/usr/local/bin/php", "/usr/bin/php"} {
		if info, err := os.Stat(file); err == nil {
			mark += fmt.Sprintf(" %s %d %d", file, info.Size(), info.ModTime().UnixNano())
		}
	}
	return mark
}

// savedCache is how a cache is written.
type savedCache struct {
	Files []savedFile          `json:"files"`
	PHP   map[string]cachedPHP `json:"php"`
}

type savedFile struct {
	Key  fileKey    `json:"k"`
	File cachedFile `json:"f"`
}

// Save writes the cache to a file, for Load in a later process.
func (c *Cache) Save(path string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	saved := savedCache{PHP: c.php}
	for key, file := range c.files {
		saved.Files = append(saved.Files, savedFile{key, file})
	}
	temp, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	if err := errors.Join(json.NewEncoder(temp).Encode(&saved), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// Load adds what Save wrote, nothing when there is no file yet. CodeDamaged
// when it is something else; the cache is then as it was.
func (c *Cache) Load(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	var saved savedCache
	if err := json.NewDecoder(io.LimitReader(f, cacheBytes)).Decode(&saved); err != nil {
		return upkeep.Errorf(upkeep.CodeDamaged, "cache of headers: %w", err)
	}
	for i := range saved.Files {
		c.keep(saved.Files[i].Key, saved.Files[i].File)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for root, php := range saved.PHP {
		c.php[root] = php
	}
	return nil
}
