package inventory

import (
	"os"
	"slices"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/cms/area"
	"upkeep/internal/cms/wordpress/header"
)

// Reader takes inventories. The zero value works and remembers nothing. It is
// safe for concurrent use.
type Reader struct {
	Clock upkeep.Clock // nil is time.Now
	Cache *Cache       // what files said, by their stat; nil remembers nothing
}

// headersOf returns the headers of a file below dir, from the cache when the
// file has not changed since.
func (r *Reader) headersOf(dir *os.Root, file string, set header.Set, shortTag bool) (map[string]string, error) {
	info, err := dir.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil // a FIFO would make us wait for ever
	}
	key, steady := keyOf(info, r.now())
	name := set.Name
	if shortTag {
		name += "+"
	}
	if headers, known := r.Cache.headers(key, name); known && steady {
		return headers, nil
	}
	headers, err := header.Read(dir, file, set, shortTag)
	if err != nil {
		return nil, err
	}
	if set.Name == header.Plugin.Name && headers["Name"] == "" {
		headers = nil // most PHP files; not worth the memory
	}
	if steady {
		r.Cache.remember(key, name, headers)
	}
	return headers, nil
}

// namesIn returns the names in a folder that may be a plugin's main file, and
// those of version control, from the cache when no entry was added, renamed or
// removed since.
func (r *Reader) namesIn(folder *os.Root) (scripts, checkouts []string, err error) {
	names, err := r.tellingNames(folder)
	for _, name := range names {
		if strings.HasPrefix(name, ".") {
			checkouts = append(checkouts, name)
		} else {
			scripts = append(scripts, name)
		}
	}
	return scripts, checkouts, err
}

func (r *Reader) tellingNames(folder *os.Root) ([]string, error) {
	info, err := folder.Stat(".")
	if err != nil {
		return nil, err
	}
	key, steady := keyOf(info, r.now())
	if names, known := r.Cache.names(key); known && steady {
		return names, nil
	}
	f, err := folder.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		if strings.HasPrefix(name, ".") {
			return !slices.Contains(area.VersionControl[:], name)
		}
		return !strings.HasSuffix(name, ".php")
	})
	names = slices.Clip(slices.Clone(names))
	if steady {
		r.Cache.rememberNames(key, names)
	}
	return names, nil
}

func (r *Reader) now() time.Time {
	if r.Clock == nil {
		return time.Now()
	}
	return r.Clock()
}
