package upkeeptest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// SmallDisk returns a folder on a file system of its own of so many bytes,
// which the sites' account may use. It needs root; without, the test is
// skipped and says so.
func SmallDisk(t testing.TB, size int64) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a file system of its own needs root")
	}
	dir, err := os.MkdirTemp("", "upkeep-disk-")
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("size=%d,mode=0777", size)); err != nil {
		_ = os.Remove(dir) // nothing is in it
		t.Skipf("mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// FillDisk takes all but leave bytes of the file system that holds dir, and
// gives them back when release is called or the test ends.
func FillDisk(t testing.TB, dir string, leave int64) (release func()) {
	t.Helper()
	ballast := filepath.Join(dir, ".ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err = unix.ENOSPC; errors.Is(err, unix.ENOSPC); { // others may be taking some of it
		err = take(f, leave)
	}
	if err != nil {
		t.Fatalf("fill %s: %v", dir, err)
	}
	release = func() {
		if err := os.Remove(ballast); err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
	}
	t.Cleanup(release)
	return release
}

// take makes f as large as its file system allows.
func take(f *os.File, leave int64) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		return err
	}
	if size := int64(fs.Bavail)*fs.Bsize - leave; size > 0 {
		return unix.Fallocate(int(f.Fd()), 0, 0, size)
	}
	return nil
}
