package place_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"upkeep"
	"upkeep/internal/agent/place"
)

// site makes two neighbours: the site, and what is none of its business.
func site(t *testing.T) (root, outside string) {
	t.Helper()
	top := t.TempDir()
	root, outside = filepath.Join(top, "site"), filepath.Join(top, "outside")
	for _, dir := range []string{filepath.Join(root, "plugins/shop"), outside} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(root, "plugins/shop/shop.php"), "shop")
	write(t, filepath.Join(outside, "secret"), "secret")
	return root, outside
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func find(t *testing.T, p *place.Places, path string) *place.Spot {
	t.Helper()
	spot, err := p.Find(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = spot.Close() })
	return spot
}

func TestNoPathLeadsOut(t *testing.T) {
	root, outside := site(t)
	for name, to := range map[string]string{"away": outside, "up": "../outside", "loop": "loop", "far": "plugins/../../outside"} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	p := place.New(root)
	for _, path := range []string{
		outside, outside + "/secret", root + "/../outside/secret", root + "x", "relative", "",
		root + "/away/secret", root + "/up/secret", root + "/far/secret",
	} {
		if spot, err := p.Find(path); upkeep.CodeOf(err) != upkeep.CodeRefused {
			t.Errorf("find %q: %v, %v", path, spot, err)
		}
	}
	if _, err := p.Find(root + "/loop/x"); err == nil {
		t.Error("a loop was followed")
	}
	for _, dir := range []string{outside, root + "/away", root + "/up"} {
		if opened, err := p.Open(dir); upkeep.CodeOf(err) != upkeep.CodeRefused {
			t.Errorf("open %q: %v, %v", dir, opened, err)
		}
	}
}

// The last element is what is moved, deleted or changed, never what it
// points to.
func TestLinkItself(t *testing.T) {
	root, outside := site(t)
	link := filepath.Join(root, "link")
	if err := os.Symlink(outside, link); err != nil {
		t.Fatal(err)
	}
	p := place.New(root)
	spot := find(t, p, link)
	if err := spot.SetMode(0); upkeep.CodeOf(err) != upkeep.CodeRefused {
		t.Errorf("mode of a link: %v", err)
	}
	if err := spot.Write([]byte("x"), 0o644); err == nil {
		t.Error("written through a link")
	}
	if err := spot.MoveTo(find(t, p, filepath.Join(root, "moved"))); err != nil {
		t.Fatal(err)
	}
	if err := find(t, p, filepath.Join(root, "moved")).Delete(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(outside, "secret")); err != nil {
		t.Error(err)
	}
}

func TestMoveReplacesNothing(t *testing.T) {
	root, _ := site(t)
	p := place.New(root)
	from, to := filepath.Join(root, "from"), filepath.Join(root, "to")
	for _, make := range []func() error{
		func() error { return os.WriteFile(to, nil, 0o644) },
		func() error { return os.Mkdir(to, 0o755) },
		func() error { return os.Symlink("nowhere", to) },
	} {
		write(t, from, "from")
		if err := make(); err != nil {
			t.Fatal(err)
		}
		if err := find(t, p, from).MoveTo(find(t, p, to)); !errors.Is(err, fs.ErrExist) {
			t.Errorf("got %v", err)
		}
		if err := os.Remove(to); err != nil {
			t.Fatal(err)
		}
	}
}

func TestModesAndTimes(t *testing.T) {
	root, _ := site(t)
	defer syscall.Umask(syscall.Umask(0o077))
	p := place.New(root)
	spot := find(t, p, filepath.Join(root, "new"))
	if err := spot.Write([]byte("x"), 0o444); err != nil {
		t.Fatal(err)
	}
	if st, err := spot.Stat(); err != nil || st.Mode&0o7777 != 0o444 {
		t.Errorf("mode %o, %v", st.Mode, err)
	}
	if err := spot.SetFolderTime(1e18 + 7); err != nil {
		t.Fatal(err)
	}
	if mtime, err := spot.FolderTime(); err != nil || mtime != 1e18+7 {
		t.Errorf("time %d, %v", mtime, err)
	}
	top := find(t, p, root)
	if err := top.SetMode(0o2555); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(root); err != nil || info.Mode() != fs.ModeDir|fs.ModeSetgid|0o555 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := top.SetMode(0o755); err != nil {
		t.Fatal(err)
	}
	if err := find(t, p, filepath.Join(root, "none")).SetMode(0o755); !errors.Is(err, fs.ErrNotExist) || upkeep.CodeOf(err) != upkeep.CodeNotFound {
		t.Errorf("mode of nothing: %v", err)
	}
	if inode, err := find(t, p, filepath.Join(root, "none")).Inode(); inode != 0 || err != nil {
		t.Errorf("inode of nothing: %d, %v", inode, err)
	}
}

// The site exchanges a folder for a link out, again and again, while we write
// and delete in it: nothing outside is ever touched.
func TestExchangedWhileWeWork(t *testing.T) {
	root, outside := site(t)
	dir, aside := filepath.Join(root, "plugins"), filepath.Join(root, "aside")
	p := place.New(root)
	stop := make(chan struct{})
	var racing sync.WaitGroup
	racing.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Rename(dir, aside) // whichever succeeds
			_ = os.Symlink(outside, dir)
			_ = os.Remove(dir)
			_ = os.Rename(aside, dir)
		}
	})
	for range 2000 {
		for _, name := range []string{"secret", "new"} {
			spot, err := p.Find(filepath.Join(dir, name))
			if err != nil {
				continue
			}
			_ = spot.Delete() // in the folder that was found, or nowhere
			_ = spot.Write([]byte("ours"), 0o600)
			_ = spot.Close()
		}
	}
	close(stop)
	racing.Wait()
	entries, err := os.ReadDir(outside)
	if err != nil || len(entries) != 1 {
		t.Errorf("outside: %v, %v", entries, err)
	}
	if content, err := os.ReadFile(filepath.Join(outside, "secret")); string(content) != "secret" {
		t.Errorf("outside: %q, %v", content, err)
	}
}
