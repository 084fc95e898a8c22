package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
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
)

// The types of nodes, as restic and the manifest name them.
const (
	typeFile    = "file"
	typeDir     = "dir"
	typeSymlink = "symlink"
	typeFifo    = "fifo"
	typeSocket  = "socket"
	typeDev     = "dev"
	typeCharDev = "chardev"
)

// node is one name in a folder, as a tree blob holds it.
type node struct {
	name    string
	kind    string
	mode    uint32 // permission, setuid, setgid, sticky bits as in stat(2)
	mtime   int64  // nanoseconds since 1970
	ctime   int64
	uid     uint32
	gid     uint32
	user    string
	group   string
	inode   uint64
	dev     uint64 // of the file system
	links   uint64
	size    uint64
	rdev    uint64 // of a device node
	target  string
	xattrs  []xattr
	content []vault.ID
	subtree *vault.ID
}

func (n *node) fill(name string, st *unix.Stat_t) {
	n.name, n.kind = name, kindOf(st.Mode)
	n.mode = st.Mode & 0o7777
	n.mtime, n.ctime = nanoseconds(st.Mtim), nanoseconds(st.Ctim)
	n.uid, n.gid = st.Uid, st.Gid
	n.inode, n.dev, n.links = st.Ino, uint64(st.Dev), uint64(st.Nlink)
	switch n.kind {
	case typeFile:
		n.size = uint64(st.Size)
	case typeDev, typeCharDev:
		n.rdev = uint64(st.Rdev)
	}
}

// amend shows a folder as it is without our doing.
func (n *node) amend(as Attributes) {
	if as.Mode != nil {
		n.mode = *as.Mode
	}
	if as.MTime != nil {
		n.mtime = *as.MTime
	}
}

func kindOf(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return typeFile
	case unix.S_IFDIR:
		return typeDir
	case unix.S_IFLNK:
		return typeSymlink
	case unix.S_IFIFO:
		return typeFifo
	case unix.S_IFSOCK:
		return typeSocket
	case unix.S_IFBLK:
		return typeDev
	default:
		return typeCharDev
	}
}

// hardLinked reports whether the node may share its content with another.
func (n *node) hardLinked() bool { return n.kind != typeDir && n.links > 1 }

// entry is the node as a manifest lists it. Linked is filled in later.
func (n *node) entry(path string) upkeep.Entry {
	e := upkeep.Entry{
		Path: []byte(path), Type: n.kind, Mode: n.mode, UID: n.uid, GID: n.gid,
		MTime: n.mtime, Size: int64(n.size), Device: n.rdev,
	}
	if n.kind == typeFile {
		e.Content = contentDigest(n.content)
	}
	if n.kind == typeSymlink {
		e.Target = []byte(n.target)
	}
	if len(n.xattrs) > 0 {
		e.Xattrs = make(map[string][]byte, len(n.xattrs))
		for _, x := range n.xattrs {
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
func (n *node) fileMode() os.FileMode {
	mode := os.FileMode(n.mode & 0o777)
	for _, bit := range modeBits() {
		if n.mode&bit.unix != 0 {
			mode |= bit.mode
		}
	}
	switch n.kind {
	case typeDir:
		mode |= os.ModeDir
	case typeSymlink:
		mode |= os.ModeSymlink
	case typeFifo:
		mode |= os.ModeNamedPipe
	case typeSocket:
		mode |= os.ModeSocket
	case typeDev:
		mode |= os.ModeDevice
	case typeCharDev:
		mode |= os.ModeDevice | os.ModeCharDevice
	}
	return mode
}

// modeBit is a bit that Go keeps elsewhere than stat(2) does.
type modeBit struct {
	unix uint32
	mode os.FileMode
}

func modeBits() [3]modeBit {
	return [...]modeBit{{unix.S_ISUID, os.ModeSetuid}, {unix.S_ISGID, os.ModeSetgid}, {unix.S_ISVTX, os.ModeSticky}}
}

// appendTree appends the blob of a folder: exactly what encoding/json makes
// of restic's own types, so that equal folders have equal IDs whoever wrote
// them.
func appendTree(dst []byte, nodes []node) []byte {
	dst = append(dst, `{"nodes":[`...)
	for i := range nodes {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = nodes[i].appendJSON(dst)
	}
	return append(dst, "]}\n"...)
}

func (n *node) appendJSON(dst []byte) []byte {
	quoted := strconv.Quote(n.name)
	dst = appendString(append(dst, `{"name":`...), quoted[1:len(quoted)-1])
	dst = append(append(append(dst, `,"type":"`...), n.kind...), '"')
	dst = appendNumber(dst, "mode", uint64(n.fileMode()))
	dst = appendTime(append(dst, `,"mtime":`...), n.mtime)
	// The time of the last access would make every backup differ.
	dst = appendTime(append(dst, `,"atime":`...), n.mtime)
	dst = appendTime(append(dst, `,"ctime":`...), n.ctime)
	dst = strconv.AppendUint(append(dst, `,"uid":`...), uint64(n.uid), 10)
	dst = strconv.AppendUint(append(dst, `,"gid":`...), uint64(n.gid), 10)
	if n.user != "" {
		dst = appendString(append(dst, `,"user":`...), n.user)
	}
	if n.group != "" {
		dst = appendString(append(dst, `,"group":`...), n.group)
	}
	dst = appendNumber(dst, "inode", n.inode)
	if n.hardLinked() {
		dst = appendNumber(dst, "device_id", n.dev)
	}
	dst = appendNumber(dst, "size", n.size)
	if n.kind != typeDir {
		dst = appendNumber(dst, "links", n.links)
	}
	dst = n.appendTarget(dst)
	if len(n.xattrs) > 0 {
		text, _ := json.Marshal(n.xattrs) // strings and bytes always encode
		dst = append(append(dst, `,"extended_attributes":`...), text...)
	}
	dst = appendNumber(dst, "device", n.rdev)
	dst = n.appendContent(dst)
	if n.subtree != nil {
		dst = append(hex.AppendEncode(append(dst, `,"subtree":"`...), n.subtree[:]), '"')
	}
	return append(dst, '}')
}

func (n *node) appendTarget(dst []byte) []byte {
	if n.target == "" {
		return dst
	}
	dst = appendString(append(dst, `,"linktarget":`...), n.target)
	if utf8.ValidString(n.target) {
		return dst
	}
	dst = append(dst, `,"linktarget_raw":"`...)
	return append(base64.StdEncoding.AppendEncode(dst, []byte(n.target)), '"')
}

// appendContent writes a list for files, even empty ones, and null for
// everything else, which is how restic tells a lost list from an empty file.
func (n *node) appendContent(dst []byte) []byte {
	if n.kind != typeFile {
		return append(dst, `,"content":null`...)
	}
	dst = append(dst, `,"content":[`...)
	for i := range n.content {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(hex.AppendEncode(append(dst, '"'), n.content[i][:]), '"')
	}
	return append(dst, ']')
}

func appendNumber(dst []byte, key string, value uint64) []byte {
	if value == 0 {
		return dst
	}
	dst = append(append(append(dst, ',', '"'), key...), '"', ':')
	return strconv.AppendUint(dst, value, 10)
}

func appendTime(dst []byte, ns int64) []byte {
	dst = time.Unix(0, ns).UTC().AppendFormat(append(dst, '"'), time.RFC3339Nano)
	return append(dst, '"')
}

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
	Name      string      `json:"name"`
	Type      string      `json:"type"`
	Mode      os.FileMode `json:"mode"`
	MTime     time.Time   `json:"mtime"`
	CTime     time.Time   `json:"ctime"`
	UID       uint32      `json:"uid"`
	GID       uint32      `json:"gid"`
	Inode     uint64      `json:"inode"`
	DeviceID  uint64      `json:"device_id"`
	Size      uint64      `json:"size"`
	Links     uint64      `json:"links"`
	Target    string      `json:"linktarget"`
	TargetRaw []byte      `json:"linktarget_raw"`
	Xattrs    []xattr     `json:"extended_attributes"`
	Device    uint64      `json:"device"`
	Content   []vault.ID  `json:"content"`
	Subtree   *vault.ID   `json:"subtree"`
}

// parseTree reads the blob of a folder and refuses names that would lead out
// of it, whoever wrote them.
func parseTree(text []byte) ([]node, error) {
	var tree struct {
		Nodes []nodeJSON `json:"nodes"`
	}
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "tree: %w", err)
	}
	nodes := make([]node, len(tree.Nodes))
	for i := range nodes {
		if err := nodes[i].parse(&tree.Nodes[i]); err != nil {
			return nil, upkeep.Errorf(upkeep.CodeDamaged, "tree: %w", err)
		}
	}
	slices.SortFunc(nodes, func(a, b node) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(nodes); i++ {
		if nodes[i].name == nodes[i-1].name {
			return nil, upkeep.Errorf(upkeep.CodeDamaged, "tree: %q is there twice", nodes[i].name)
		}
	}
	return nodes, nil
}

func (n *node) parse(in *nodeJSON) error {
	name, err := strconv.Unquote(`"` + in.Name + `"`)
	if err != nil || !validName(name) {
		return fmt.Errorf("name %q is not one", in.Name)
	}
	*n = node{
		name: name, kind: in.Type, mode: uint32(in.Mode.Perm()),
		mtime: in.MTime.UnixNano(), ctime: in.CTime.UnixNano(), uid: in.UID, gid: in.GID,
		inode: in.Inode, dev: in.DeviceID, links: in.Links, size: in.Size, rdev: in.Device,
		target: in.Target, xattrs: in.Xattrs, content: in.Content, subtree: in.Subtree,
	}
	for _, bit := range modeBits() {
		if in.Mode&bit.mode != 0 {
			n.mode |= bit.unix
		}
	}
	if in.TargetRaw != nil {
		n.target = string(in.TargetRaw)
	}
	slices.SortFunc(n.xattrs, func(a, b xattr) int { return strings.Compare(a.Name, b.Name) })
	return n.check()
}

func (n *node) check() error {
	switch n.kind {
	case typeDir:
		if n.subtree == nil {
			return fmt.Errorf("folder %q has no content", n.name)
		}
	case typeFile, typeSymlink, typeFifo, typeSocket, typeDev, typeCharDev:
		if n.subtree != nil {
			return fmt.Errorf("%s %q has a folder's content", n.kind, n.name)
		}
	default:
		return fmt.Errorf("%q is of the unknown type %q", n.name, n.kind)
	}
	return nil
}

// sameMeta reports whether everything but the content is the same.
func (n *node) sameMeta(o *node) bool {
	return n.mode == o.mode && n.uid == o.uid && n.gid == o.gid && n.mtime == o.mtime && sameXattrs(n.xattrs, o.xattrs)
}

func sameXattrs(a, b []xattr) bool {
	return slices.EqualFunc(a, b, func(a, b xattr) bool { return a.Name == b.Name && bytes.Equal(a.Value, b.Value) })
}

// owners remembers the names of users and groups, which restic shows.
type owners struct {
	mu     sync.Mutex
	users  map[uint32]string
	groups map[uint32]string
}

func newOwners() *owners { return &owners{users: map[uint32]string{}, groups: map[uint32]string{}} }

func (o *owners) name(n *node) {
	o.mu.Lock()
	defer o.mu.Unlock()
	known, ok := o.users[n.uid]
	if !ok {
		if u, err := user.LookupId(strconv.Itoa(int(n.uid))); err == nil {
			known = u.Username
		}
		o.users[n.uid] = known
	}
	n.user = known
	known, ok = o.groups[n.gid]
	if !ok {
		if g, err := user.LookupGroupId(strconv.Itoa(int(n.gid))); err == nil {
			known = g.Name
		}
		o.groups[n.gid] = known
	}
	n.group = known
}
