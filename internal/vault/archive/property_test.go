package archive_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"upkeep"
	"upkeep/internal/vault/archive"
)

// grower makes random trees of everything a file system can hold.
type grower struct {
	t     *rapid.T
	files []string // that can be linked to
}

func (g *grower) name() string {
	return rapid.SampledFrom([]string{
		"a", "b", "index.php", "new\nline", "\xff\xfe", "quote\"back\\slash", "ünïcode", " ", "-rf", "<&>", "*",
		strings.Repeat("long", 60),
	}).Draw(g.t, "name")
}

func (g *grower) must(err error) {
	if err != nil {
		g.t.Fatal(err)
	}
}

// grow makes up to a few things in dir, and below.
func (g *grower) grow(dir string, depth int) {
	for range rapid.IntRange(0, 5).Draw(g.t, "things") {
		path := filepath.Join(dir, g.name())
		if _, err := os.Lstat(path); err == nil {
			g.disturb(path)
			continue
		}
		g.plant(path, depth)
	}
}

func (g *grower) plant(path string, depth int) {
	kind := rapid.SampledFrom([]string{"file", "file", "file", "sparse", "dir", "dir", "symlink", "fifo", "socket", "link", "device"}).Draw(g.t, "kind")
	mode := os.FileMode(rapid.SampledFrom([]uint32{0o644, 0o600, 0, 0o444, 0o755}).Draw(g.t, "mode"))
	switch kind {
	case "file":
		size := rapid.SampledFrom([]int{0, 1, 100, 5000, 600_000}).Draw(g.t, "size")
		g.must(os.WriteFile(path, bytes.Repeat([]byte{byte(size), byte(len(path))}, size), 0o600))
		g.must(os.Chmod(path, mode))
		g.files = append(g.files, path)
	case "sparse":
		f, err := os.Create(path)
		g.must(err)
		_, err = f.WriteAt([]byte("middle"), 700_000)
		g.must(err)
		g.must(f.Truncate(2_000_000))
		g.must(f.Close())
	case "dir":
		g.must(os.Mkdir(path, 0o755))
		if depth < 4 {
			g.grow(path, depth+1)
		}
		g.must(unix.Chmod(path, rapid.SampledFrom([]uint32{0o755, 0o2775, 0o1777, 0o700, 0}).Draw(g.t, "dirmode")))
	case "symlink":
		g.must(os.Symlink(rapid.SampledFrom([]string{".", "..", "/etc/passwd", "nowhere", "\xff\n", "a/b"}).Draw(g.t, "target"), path))
	case "fifo":
		g.must(unix.Mkfifo(path, 0o640))
	case "socket":
		g.must(unix.Mknod(path, unix.S_IFSOCK|0o600, 0))
	case "device":
		g.must(unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))))
	case "link":
		if len(g.files) > 0 {
			from := rapid.SampledFrom(g.files).Draw(g.t, "from")
			if g.exists(from) {
				g.must(os.Link(from, path))
			}
		}
		return
	}
	g.mark(path)
}

// mark gives a path an owner, an attribute and a time now and then.
func (g *grower) mark(path string) {
	if rapid.IntRange(0, 3).Draw(g.t, "owner") == 0 {
		g.must(os.Lchown(path, 1000, 33))
	}
	if info, err := os.Lstat(path); err == nil && (info.Mode().IsRegular() || info.IsDir()) && rapid.IntRange(0, 4).Draw(g.t, "attr") == 0 {
		if err := unix.Lsetxattr(path, "user.note", []byte(g.name()), 0); err != nil && err != unix.ENOTSUP {
			g.must(err)
		}
	}
	if rapid.Bool().Draw(g.t, "time") {
		when := rapid.Int64Range(-1e18, 4e18).Draw(g.t, "when")
		times := []unix.Timespec{unix.NsecToTimespec(when), unix.NsecToTimespec(when)}
		if rapid.IntRange(0, 9).Draw(g.t, "far") == 0 { // in the year 2381, beyond what nanoseconds can say
			times[0].Sec, times[1].Sec = 13e9, 13e9
		}
		g.must(unix.UtimesNanoAt(unix.AT_FDCWD, path, times, unix.AT_SYMLINK_NOFOLLOW))
	}
}

// disturb damages something that exists.
func (g *grower) disturb(path string) {
	switch rapid.SampledFrom([]string{"remove", "replace", "append", "mode", "grow", "mark", "link"}).Draw(g.t, "damage") {
	case "remove":
		g.must(os.RemoveAll(path))
	case "replace":
		g.must(os.RemoveAll(path))
		g.plant(path, 3)
	case "append":
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			g.must(err)
			_, err = f.WriteString("more")
			g.must(err)
			g.must(f.Close())
		}
	case "mode":
		if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSymlink == 0 {
			g.must(unix.Chmod(path, 0o4711))
		}
	case "grow":
		if info, err := os.Lstat(path); err == nil && info.IsDir() {
			g.grow(path, 3)
		}
	case "mark":
		g.mark(path)
	case "link":
		if len(g.files) > 0 && g.exists(g.files[0]) {
			g.must(os.RemoveAll(path))
			if g.exists(g.files[0]) {
				g.must(os.Link(g.files[0], path))
			}
		}
	}
}

func (g *grower) exists(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular()
}

// TestAnyTreeSurvivesDamage: whatever a site holds and whatever happens to
// it, restoring gives back an equal manifest, in place and elsewhere, with a
// memory and without.
func TestAnyTreeSurvivesDamage(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("owners and devices need root: run the tests as root")
	}
	b := setup(t)
	ctx, release, err := b.repo.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		dir := filepath.Join(b.site, fmt.Sprint(round))
		g := &grower{t: rt}
		g.must(os.Mkdir(dir, 0o755))
		defer os.RemoveAll(dir)
		g.grow(dir, 0)
		sources := []archive.Source{{Name: "site", Dir: dir}}
		options := b.options()
		options.InPlace = true
		if rapid.Bool().Draw(rt, "memory") {
			// Seen from later, nothing is too fresh to be trusted: the change
			// time alone must tell.
			options.Memory = &archive.Memory{}
			options.Clock = func() time.Time { return time.Now().Add(time.Hour) }
		}
		result, err := archive.Read(ctx, b.repo, sources, options)
		g.must(err)
		_, err = b.repo.Flush(ctx)
		g.must(err)
		stored, err := archive.Entries(ctx, b.repo, result.Tree)
		g.must(err)
		g.equal("stored", result.Entries, stored)
		waitTick(g, dir)
		g.damageAll(dir)
		_, err = archive.Restore(ctx, b.repo, result.Tree, sources, options)
		g.must(err)
		now, err := archive.Scan(ctx, sources, b.options())
		g.must(err)
		g.equal("in place", result.Entries, now)
		again, err := archive.Differences(ctx, b.repo, result.Tree, sources, b.options())
		g.must(err)
		if len(again) > 0 {
			rt.Fatalf("differences remain: %v", again)
		}
		g.elsewhere(b, result)
	})
	if _, err := b.repo.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	release()
	b.check()
}

// waitTick waits until the file system's clock moves, so that a change from
// now on shows in the change time.
func waitTick(g *grower, dir string) {
	ctime := func() unix.Timespec {
		path := dir + ".tick"
		g.must(os.WriteFile(path, nil, 0o600))
		var st unix.Stat_t
		g.must(unix.Lstat(path, &st))
		g.must(os.Remove(path))
		return st.Ctim
	}
	for start := ctime(); start == ctime(); {
	}
}

func (g *grower) damageAll(dir string) {
	entries, err := os.ReadDir(dir)
	g.must(err)
	for _, e := range entries {
		if rapid.Bool().Draw(g.t, "hit") {
			g.disturb(filepath.Join(dir, e.Name()))
		}
	}
	g.grow(dir, 2)
	g.must(os.Chmod(dir, 0o700))
}

func (g *grower) elsewhere(b *bench, result *archive.Result) {
	target := []archive.Source{{Name: "site", Dir: filepath.Join(b.t.TempDir(), "new")}}
	_, err := archive.Restore(b.t.Context(), b.repo, result.Tree, target, b.options())
	g.must(err)
	got, err := archive.Scan(b.t.Context(), target, b.options())
	g.must(err)
	g.equal("elsewhere", result.Entries, got)
	g.must(os.RemoveAll(target[0].Dir))
}

func (g *grower) equal(where string, want, got []upkeep.Entry) {
	before, after := upkeep.Manifest{Entries: want}, upkeep.Manifest{Entries: got}
	if diffs := before.Compare(&after); len(diffs) > 0 {
		g.t.Fatalf("%s: %d differences: %v", where, len(diffs), diffs[:min(10, len(diffs))])
	}
}

// TestResticRestoresAnyTree leaves the restoring to restic. Debian's 0.14
// knows no link targets that are not UTF-8 and makes no sockets.
func TestResticRestoresAnyTree(t *testing.T) {
	b := setup(t)
	b.fill()
	for name, mode := range map[string]uint32{"new\nline": 0o600, "\xff\xfe": 0o4755, "quote\"back\\slash": 0, "ünïcode": 0o2711} {
		b.write(name, name)
		if err := unix.Chmod(filepath.Join(b.site, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../loop", filepath.Join(b.site, "loop")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(b.site, "pipe"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := unix.Lsetxattr(filepath.Join(b.site, "readme"), "user.note", []byte("\x00\xff"), 0); err != nil && err != unix.ENOTSUP {
		t.Fatal(err)
	}
	b.write(strings.Repeat("deep/", 60)+"file", "deep")
	result, snapshot := b.backup(b.options())
	target := t.TempDir()
	b.restic("restore", snapshot.ID.String(), "--target", target)
	got, err := archive.Scan(t.Context(), []archive.Source{{Name: "site", Dir: filepath.Join(target, "site")}}, b.options())
	if err != nil {
		t.Fatal(err)
	}
	same(t, result.Entries, got)
}
