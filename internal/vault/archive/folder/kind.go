package folder

import "golang.org/x/sys/unix"

// The types of nodes, as restic and the manifest name them.
const (
	TypeFile    = "file"
	TypeDir     = "dir"
	TypeSymlink = "symlink"
	TypeFifo    = "fifo"
	TypeSocket  = "socket"
	TypeDev     = "dev"
	TypeCharDev = "chardev"
)

// KindOf is the type that a mode as in stat(2) says.
func KindOf(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return TypeFile
	case unix.S_IFDIR:
		return TypeDir
	case unix.S_IFLNK:
		return TypeSymlink
	case unix.S_IFIFO:
		return TypeFifo
	case unix.S_IFSOCK:
		return TypeSocket
	case unix.S_IFBLK:
		return TypeDev
	default:
		return TypeCharDev
	}
}

// NodeMode is what mknod(2) is told to make a pipe, socket or device.
func NodeMode(kind string) uint32 {
	switch kind {
	case TypeFifo:
		return unix.S_IFIFO
	case TypeSocket:
		return unix.S_IFSOCK
	case TypeDev:
		return unix.S_IFBLK
	default:
		return unix.S_IFCHR
	}
}
