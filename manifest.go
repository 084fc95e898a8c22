package upkeep

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
)

// Manifest is every path and table of a site with what identifies its
// content. Two states of a site are identical when their manifests are.
// Access and change times, inode numbers and link counts' order are not part
// of it: they cannot be restored, or say nothing a visitor could see.
type Manifest struct {
	Entries []Entry  `json:"entries"` // sorted by Path bytewise
	Tables  []Object `json:"tables"`  // sorted by Kind and Name
}

// Entry is one path. Paths are raw bytes of the file system: Path is kept in
// a []byte so that names that are not UTF-8 survive JSON (as base64).
type Entry struct {
	Path    []byte            `json:"p"` // area name, slash, path below it: "site/wp-config.php"
	Type    string            `json:"t"` // "file", "dir", "symlink", "fifo", "socket", "dev", "chardev"
	Mode    uint32            `json:"m"` // permission, setuid, setgid and sticky bits, as in stat(2)
	UID     uint32            `json:"u"`
	GID     uint32            `json:"g"`
	MTime   int64             `json:"mt"` // nanoseconds since 1970
	Size    int64             `json:"s,omitempty"`
	Content string            `json:"c,omitempty"` // hex SHA-256 over the content's chunk IDs, in order
	Target  []byte            `json:"l,omitempty"` // of a symbolic link
	Device  uint64            `json:"d,omitempty"`
	Linked  []byte            `json:"h,omitempty"` // first path of the same hard-linked file
	Xattrs  map[string][]byte `json:"x,omitempty"`
}

// Object is one object of the site's database.
type Object struct {
	Kind       string `json:"k"` // "table", "view", "trigger", "routine", "sequence"; others by engine
	Name       string `json:"n"`
	Definition string `json:"d"`           // hex SHA-256 of the server's normalised definition, AUTO_INCREMENT included
	Rows       int64  `json:"r,omitempty"` // tables only
	Content    string `json:"c,omitempty"` // hex SHA-256 of the rows, in key order
}

// Digest returns the hex SHA-256 of the manifest's canonical JSON.
func (m *Manifest) Digest() string {
	sum := sha256.New()
	enc := json.NewEncoder(sum)
	for i := range m.Entries {
		_ = enc.Encode(&m.Entries[i]) // a hash never fails to write and the types always encode
	}
	for i := range m.Tables {
		_ = enc.Encode(&m.Tables[i])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Entry returns the entry of a path of a sorted manifest, or nil.
func (m *Manifest) Entry(path string) *Entry {
	i, found := slices.BinarySearchFunc(m.Entries, []byte(path), func(e Entry, path []byte) int { return bytes.Compare(e.Path, path) })
	if !found {
		return nil
	}
	return &m.Entries[i]
}

// Difference is one thing in which two manifests differ.
type Difference struct {
	Path   string `json:"path"`   // "site/index.php" or "table wp_options"
	Change string `json:"change"` // "added", "removed", or what changed: "content", "mode", "owner", "time", "target", "type", "definition", "rows", "links", "xattrs"
}

// Compare returns how after differs from m, sorted by path; empty when
// identical.
func (m *Manifest) Compare(after *Manifest) []Difference {
	diffs := compareSorted(m.Entries, after.Entries,
		func(e *Entry) string { return string(e.Path) }, entryChanges)
	return append(diffs, compareSorted(m.Tables, after.Tables,
		func(o *Object) string { return o.Kind + " " + o.Name }, objectChanges)...)
}

func compareSorted[T any](before, after []T, key func(*T) string, changes func(a, b *T) []string) []Difference {
	var diffs []Difference
	i, j := 0, 0
	for i < len(before) || j < len(after) {
		switch {
		case j == len(after) || i < len(before) && key(&before[i]) < key(&after[j]):
			diffs = append(diffs, Difference{key(&before[i]), "removed"})
			i++
		case i == len(before) || key(&after[j]) < key(&before[i]):
			diffs = append(diffs, Difference{key(&after[j]), "added"})
			j++
		default:
			for _, change := range changes(&before[i], &after[j]) {
				diffs = append(diffs, Difference{key(&before[i]), change})
			}
			i++
			j++
		}
	}
	return diffs
}

func entryChanges(a, b *Entry) []string {
	if a.Type != b.Type {
		return []string{"type"}
	}
	var changes []string
	add := func(differs bool, change string) {
		if differs {
			changes = append(changes, change)
		}
	}
	add(a.Size != b.Size || a.Content != b.Content, "content")
	add(a.Mode != b.Mode, "mode")
	add(a.UID != b.UID || a.GID != b.GID, "owner")
	add(a.MTime != b.MTime, "time")
	add(!bytes.Equal(a.Target, b.Target) || a.Device != b.Device, "target")
	add(!bytes.Equal(a.Linked, b.Linked), "links")
	add(!sameXattrs(a.Xattrs, b.Xattrs), "xattrs")
	return changes
}

func sameXattrs(a, b map[string][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for name, value := range a {
		other, ok := b[name]
		if !ok || !bytes.Equal(value, other) {
			return false
		}
	}
	return true
}

func objectChanges(a, b *Object) []string {
	var changes []string
	if a.Definition != b.Definition {
		changes = append(changes, "definition")
	}
	if a.Rows != b.Rows || a.Content != b.Content {
		changes = append(changes, "rows")
	}
	return changes
}

// Sort puts entries and objects into the order that Compare and Digest need.
func (m *Manifest) Sort() {
	slices.SortFunc(m.Entries, func(a, b Entry) int { return bytes.Compare(a.Path, b.Path) })
	slices.SortFunc(m.Tables, func(a, b Object) int {
		return slices.Compare([]string{a.Kind, a.Name}, []string{b.Kind, b.Name})
	})
}

// Identity is the proof that an undo gave back the original.
type Identity struct {
	Before      string       `json:"before"` // digest of the manifest taken before
	After       string       `json:"after"`  // digest of the manifest taken after the undo
	Differences []Difference `json:"differences,omitempty"`
}

// Proven reports whether both manifests are the same.
func (id *Identity) Proven() bool { return id.Before == id.After && len(id.Differences) == 0 }
