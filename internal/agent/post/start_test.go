package post

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"upkeep"
)

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// A service runs with a umask that would keep every owner out.
func TestOwnersReachTheirFolder(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	top, err := os.MkdirTemp("/var/tmp", "upkeep-launch-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(top)
	if err := os.Chmod(top, 0o755); err != nil {
		t.Fatal(err)
	}
	other := &syscall.Credential{Uid: uint32(os.Geteuid()) + 12345, Gid: uint32(os.Getegid()) + 12345}
	if os.Geteuid() != 0 {
		other = nil
	}
	if err := prepareFolder(filepath.Join(top, "agents/1"), other); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]fs.FileMode{"agents": 0o711, "agents/1": 0o700} {
		if info := must[fs.FileInfo](t)(os.Stat(filepath.Join(top, name))); info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	if err := os.Chmod(top, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := prepareFolder(filepath.Join(top, "agents/2"), other); other != nil && upkeep.CodeOf(err) != upkeep.CodeInvalid {
		t.Errorf("a folder that its owner cannot enter: %v", err)
	}
}

// A site whose root folder turns out to be another account's, as by a link, is
// not worked on with that account's rights.
func TestASiteStaysItsAccounts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root hands folders to accounts")
	}
	dir := filepath.Join(t.TempDir(), "agents/1")
	for path := filepath.Dir(filepath.Dir(dir)); path != os.TempDir(); path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o755); err != nil { // nothing of what others may enter is in there
			t.Fatal(err)
		}
	}
	alice := func(group uint32, groups ...uint32) *syscall.Credential {
		return &syscall.Credential{Uid: 12345, Gid: group, Groups: groups}
	}
	for _, c := range []struct {
		owner *syscall.Credential
		code  upkeep.Code
		group uint32 // of the agent
	}{
		{alice(33), "", 33},        // as the operator adopted it, of whichever group
		{alice(42), "", 33},        // a group that she made it to
		{alice(100, 100), "", 100}, // one that she is in
		{&syscall.Credential{Uid: 54321, Gid: 54321}, upkeep.CodeConflict, 54321},
		{alice(100, 100), "", 100},
	} {
		if err := prepareFolder(dir, c.owner); upkeep.CodeOf(err) != c.code || c.owner.Gid != c.group {
			t.Errorf("%+v: %v", c.owner, err)
		}
		if st := must[unix.Stat_t](t)(lstat(dir)); st.Uid != 12345 {
			t.Errorf("the folder is account %d's", st.Uid)
		}
	}
}
