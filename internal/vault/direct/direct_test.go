package direct_test

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"

	"upkeep/internal/vault/direct"
)

// Whatever the file system can do, what is written is what is read.
func TestReadsWhatWasWritten(t *testing.T) {
	for _, size := range []int{0, 1, 4096, 1 << 20, 1<<20 + 1, 3<<20 + 4095, 5 << 20} {
		data := direct.Room(size)
		_, _ = rand.Read(data) // never fails
		path := filepath.Join(t.TempDir(), "file")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		n, err := direct.Write(f, data)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(data[n:]); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes, %d of them direct: %d read, %v", size, n, len(got), err)
		}
		for _, offset := range []int{0, 1, 4096, 1 << 20} {
			if offset > size {
				continue
			}
			got := direct.Room(size - offset)
			if direct.Read(f, got, int64(offset)) && !bytes.Equal(got, data[offset:]) {
				t.Errorf("%d bytes from %d are others", size, offset)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A part that was asked for beyond the end is not there.
func TestShortFileIsNotReadWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if direct.Read(f, direct.Room(2<<20), 0) {
		t.Error("2 MB of a file of 1 MB")
	}
}
