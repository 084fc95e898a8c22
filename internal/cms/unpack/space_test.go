package unpack_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/cms/unpack"
)

// TestDiskFull unpacks to a disk of one megabyte: what announces its size is
// refused before anything is written, what does not when the disk is full.
func TestDiskFull(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("upkeep-test", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no small disk to fill: mounting one needs root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	noise := make([]byte, 2<<20)
	source := rand.NewChaCha8([32]byte{})
	if _, err := source.Read(noise); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "a.zip")
	if err := os.WriteFile(file, build([]entry{{name: "a/b", body: string(noise)}}), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if _, err := unpack.Zip(context.Background(), file, root, unpack.Limits{}); upkeep.CodeOf(err) != upkeep.CodeNoSpace {
		t.Errorf("zip: got %v, want no_space", err)
	}
	if left, _ := os.ReadDir(disk); len(left) != 0 {
		t.Errorf("written before the refusal: %v", left)
	}
	if err := os.WriteFile(file, tarballOf(t, "a/b", noise), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := unpack.TarGz(context.Background(), file, root, unpack.Limits{}); upkeep.CodeOf(err) != upkeep.CodeNoSpace {
		t.Errorf("tar: got %v, want no_space", err)
	}
}
