// Package node knows what a tree blob holds of each name in a folder, byte for
// byte as restic writes it, and remembers nodes so that files which have not
// changed need not be read again.
package node

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/archive/folder"
)

// Node is one name in a folder, as a tree blob holds it.
type Node struct {
	Name    string
	Kind    string
	Mode    uint32 // permission, setuid, setgid, sticky bits as in stat(2)
	MTime   int64  // nanoseconds since 1970
	CTime   int64
	UID     uint32
	GID     uint32
	User    string
	Group   string
	Inode   uint64
	Dev     uint64 // of the file system
	Links   uint64
	Size    uint64
	Rdev    uint64 // of a device node
	Target  string
	Xattrs  []folder.Xattr
	Content []vault.ID
	Subtree *vault.ID
}

// Fill describes what has this name, as stat(2) saw it.
func (n *Node) Fill(name string, st *unix.Stat_t) {
	n.Name, n.Kind = name, folder.KindOf(st.Mode)
	n.Mode = st.Mode & 0o7777
	n.MTime, n.CTime = folder.Nanoseconds(st.Mtim), folder.Nanoseconds(st.Ctim)
	n.UID, n.GID = st.Uid, st.Gid
	n.Inode, n.Dev, n.Links = st.Ino, uint64(st.Dev), uint64(st.Nlink)
	switch n.Kind {
	case folder.TypeFile:
		n.Size = uint64(st.Size)
	case folder.TypeDev, folder.TypeCharDev:
		n.Rdev = uint64(st.Rdev)
	}
}

// HardLinked reports whether the node may share its content with another.
func (n *Node) HardLinked() bool { return n.Kind != folder.TypeDir && n.Links > 1 }

// Entry is the node as a manifest lists it. Linked is filled in later.
func (n *Node) Entry(path string) upkeep.Entry {
	e := upkeep.Entry{
		Path: []byte(path), Type: n.Kind, Mode: n.Mode, UID: n.UID, GID: n.GID,
		MTime: n.MTime, Size: int64(n.Size), Device: n.Rdev,
	}
	if n.Kind == folder.TypeFile {
		e.Content = contentDigest(n.Content)
	}
	if n.Kind == folder.TypeSymlink {
		e.Target = []byte(n.Target)
	}
	if len(n.Xattrs) > 0 {
		e.Xattrs = make(map[string][]byte, len(n.Xattrs))
		for _, x := range n.Xattrs {
			e.Xattrs[x.Name] = x.Value
		}
	}
	return e
}

// contentDigest is the hex SHA-256 over the chunk IDs.
func contentDigest(content []vault.ID) string {
	sum := sha256.New()
	for i := range content {
		sum.Write(content[i][:])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// fileMode is the mode as Go and therefore restic writes it.
func (n *Node) fileMode() os.FileMode {
	mode := os.FileMode(n.Mode & 0o777)
	for _, bit := range modeBits() {
		if n.Mode&bit.unix != 0 {
			mode |= bit.mode
		}
	}
	switch n.Kind {
	case folder.TypeDir:
		mode |= os.ModeDir
	case folder.TypeSymlink:
		mode |= os.ModeSymlink
	case folder.TypeFifo:
		mode |= os.ModeNamedPipe
	case folder.TypeSocket:
		mode |= os.ModeSocket
	case folder.TypeDev:
		mode |= os.ModeDevice
	case folder.TypeCharDev:
		mode |= os.ModeDevice | os.ModeCharDevice
	}
	return mode
}

// modeBit is a bit that Go keeps elsewhere than stat(2) does.
type modeBit struct {
	unix uint32
	mode os.FileMode
}

// modeBits returns the three bits that chmod sets beside permissions.
func modeBits() [3]modeBit {
	return [...]modeBit{{unix.S_ISUID, os.ModeSetuid}, {unix.S_ISGID, os.ModeSetgid}, {unix.S_ISVTX, os.ModeSticky}}
}

// Append appends the blob of a folder: exactly what encoding/json makes
// of restic's own types, so that equal folders have equal IDs whoever wrote
// them.
func Append(dst []byte, nodes []Node) []byte {
	dst = append(dst, `{"nodes":[`...)
	for i := range nodes {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = nodes[i].appendJSON(dst)
	}
	return append(dst, "]}\n"...)
}

// appendJSON writes fields in the order, and with the omissions, of restic's
// own type. Changing either would give every folder a new ID and store all
// trees again.
func (n *Node) appendJSON(dst []byte) []byte {
	quoted := strconv.Quote(n.Name)
	dst = appendString(append(dst, `{"name":`...), quoted[1:len(quoted)-1])
	dst = append(append(append(dst, `,"type":"`...), n.Kind...), '"')
	dst = appendNumber(dst, "mode", uint64(n.fileMode()))
	dst = appendTime(append(dst, `,"mtime":`...), n.MTime)
	// The time of the last access would make every backup differ.
	dst = appendTime(append(dst, `,"atime":`...), n.MTime)
	dst = appendTime(append(dst, `,"ctime":`...), n.CTime)
	dst = strconv.AppendUint(append(dst, `,"uid":`...), uint64(n.UID), 10)
	dst = strconv.AppendUint(append(dst, `,"gid":`...), uint64(n.GID), 10)
	if n.User != "" {
		dst = appendString(append(dst, `,"user":`...), n.User)
	}
	if n.Group != "" {
		dst = appendString(append(dst, `,"group":`...), n.Group)
	}
	dst = appendNumber(dst, "inode", n.Inode)
	if n.HardLinked() {
		dst = appendNumber(dst, "device_id", n.Dev)
	}
	dst = appendNumber(dst, "size", n.Size)
	if n.Kind != folder.TypeDir {
		dst = appendNumber(dst, "links", n.Links)
	}
	dst = n.appendTarget(dst)
	if len(n.Xattrs) > 0 {
		text, _ := json.Marshal(n.Xattrs) // strings and bytes always encode
		dst = append(append(dst, `,"extended_attributes":`...), text...)
	}
	dst = appendNumber(dst, "device", n.Rdev)
	dst = n.appendContent(dst)
	if n.Subtree != nil {
		dst = append(hex.AppendEncode(append(dst, `,"subtree":"`...), n.Subtree[:]), '"')
	}
	return append(dst, '}')
}

// appendTarget writes a link's target, and its bytes besides where they are no
// text: JSON would replace them.
func (n *Node) appendTarget(dst []byte) []byte {
	if n.Target == "" {
		return dst
	}
	dst = appendString(append(dst, `,"linktarget":`...), n.Target)
	if utf8.ValidString(n.Target) {
		return dst
	}
	dst = append(dst, `,"linktarget_raw":"`...)
	return append(base64.StdEncoding.AppendEncode(dst, []byte(n.Target)), '"')
}

// appendContent writes a list for files, even empty ones, and null for
// everything else, which is how restic tells a lost list from an empty file.
func (n *Node) appendContent(dst []byte) []byte {
	if n.Kind != folder.TypeFile {
		return append(dst, `,"content":null`...)
	}
	dst = append(dst, `,"content":[`...)
	for i := range n.Content {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(hex.AppendEncode(append(dst, '"'), n.Content[i][:]), '"')
	}
	return append(dst, ']')
}

// appendNumber writes a field unless it is zero, as "omitempty" does.
func appendNumber(dst []byte, key string, value uint64) []byte {
	if value == 0 {
		return dst
	}
	dst = append(append(append(dst, ',', '"'), key...), '"', ':')
	return strconv.AppendUint(dst, value, 10)
}

// appendTime writes an instant as encoding/json does, always in UTC: a host's
// time zone must not change a tree.
func appendTime(dst []byte, ns int64) []byte {
	dst = time.Unix(0, ns).UTC().AppendFormat(append(dst, '"'), time.RFC3339Nano)
	return append(dst, '"')
}

// appendString writes a string as encoding/json does; plain names, nearly all,
// without going through it.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || strings.IndexByte(`"\<>&`, c) >= 0 {
			text, _ := json.Marshal(s) // a string always encodes
			return append(dst, text...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

// nodeJSON is a node in a tree blob.
type nodeJSON struct {
	Name      string         `json:"name"`
	Type      string         `json:"type"`
	Mode      os.FileMode    `json:"mode"`
	MTime     time.Time      `json:"mtime"`
	CTime     time.Time      `json:"ctime"`
	UID       uint32         `json:"uid"`
	GID       uint32         `json:"gid"`
	Inode     uint64         `json:"inode"`
	DeviceID  uint64         `json:"device_id"`
	Size      uint64         `json:"size"`
	Links     uint64         `json:"links"`
	Target    string         `json:"linktarget"`
	TargetRaw []byte         `json:"linktarget_raw"`
	Xattrs    []folder.Xattr `json:"extended_attributes"`
	Device    uint64         `json:"device"`
	Content   []vault.ID     `json:"content"`
	Subtree   *vault.ID      `json:"subtree"`
}

// Parse reads the blob of a folder and refuses names that would lead out
// of it, whoever wrote them.
func Parse(text []byte) ([]Node, error) {
	var tree struct {
		Nodes []nodeJSON `json:"nodes"`
	}
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "tree: %w", err)
	}
	nodes := make([]Node, len(tree.Nodes))
	for i := range nodes {
		if err := nodes[i].parse(&tree.Nodes[i]); err != nil {
			return nil, upkeep.Errorf(upkeep.CodeDamaged, "tree: %w", err)
		}
	}
	slices.SortFunc(nodes, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(nodes); i++ {
		if nodes[i].Name == nodes[i-1].Name {
			return nil, upkeep.Errorf(upkeep.CodeDamaged, "tree: %q is there twice", nodes[i].Name)
		}
	}
	return nodes, nil
}

// parse takes a node over from JSON and checks it.
func (n *Node) parse(in *nodeJSON) error {
	name, err := strconv.Unquote(`"` + in.Name + `"`)
	if err != nil || !folder.ValidName(name) {
		return upkeep.Causef("name %q is not one", in.Name)
	}
	*n = Node{
		Name: name, Kind: in.Type, Mode: uint32(in.Mode.Perm()),
		MTime: in.MTime.UnixNano(), CTime: in.CTime.UnixNano(), UID: in.UID, GID: in.GID,
		Inode: in.Inode, Dev: in.DeviceID, Links: in.Links, Size: in.Size, Rdev: in.Device,
		Target: in.Target, Xattrs: in.Xattrs, Content: in.Content, Subtree: in.Subtree,
	}
	for _, bit := range modeBits() {
		if in.Mode&bit.mode != 0 {
			n.Mode |= bit.unix
		}
	}
	if in.TargetRaw != nil {
		n.Target = string(in.TargetRaw)
	}
	slices.SortFunc(n.Xattrs, func(a, b folder.Xattr) int { return strings.Compare(a.Name, b.Name) })
	return n.check()
}

// check refuses what no folder can hold, so that a restore need not ask at
// every step.
func (n *Node) check() error {
	switch n.Kind {
	case folder.TypeDir:
		if n.Subtree == nil {
			return upkeep.Causef("folder %q has no content", n.Name)
		}
	case folder.TypeFile, folder.TypeSymlink, folder.TypeFifo, folder.TypeSocket, folder.TypeDev, folder.TypeCharDev:
		if n.Subtree != nil {
			return upkeep.Causef("%s %q has a folder's content", n.Kind, n.Name)
		}
	default:
		return upkeep.Causef("%q is of the unknown type %q", n.Name, n.Kind)
	}
	return nil
}

// Owners remembers the names of users and groups, which restic shows.
type Owners struct {
	mu     sync.Mutex
	users  map[uint32]string
	groups map[uint32]string
}

// NewOwners returns an empty memory of names.
func NewOwners() *Owners { return &Owners{users: map[uint32]string{}, groups: map[uint32]string{}} }

// Name fills in the names of the node's user and group; "" where the host has none.
func (o *Owners) Name(n *Node) {
	o.mu.Lock()
	defer o.mu.Unlock()
	known, ok := o.users[n.UID]
	if !ok {
		if u, err := user.LookupId(strconv.Itoa(int(n.UID))); err == nil {
			known = u.Username
		}
		o.users[n.UID] = known
	}
	n.User = known
	known, ok = o.groups[n.GID]
	if !ok {
		if g, err := user.LookupGroupId(strconv.Itoa(int(n.GID))); err == nil {
			known = g.Name
		}
		o.groups[n.GID] = known
	}
	n.Group = known
}
