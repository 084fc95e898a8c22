package archive_test

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/archive"
)

// outside is a folder that no backup may read and no restore may touch.
func outside(t *testing.T) (dir string, entries func() []upkeep.Entry) {
	dir = t.TempDir()
	for _, name := range []string{"secret", "file", "a"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("outside secret"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, func() []upkeep.Entry {
		found, err := archive.Scan(t.Context(), []archive.Source{{Name: "x", Dir: dir}}, archive.Options{Polynomial: 0x3DA3358B4DC173})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
}

// swap exchanges a folder of the site with a link to outside, over and over,
// until stop is called.
func swap(t *testing.T, site, outside string) (stop func()) {
	link := filepath.Join(site, "link")
	if err := os.Symlink(outside, link); err != nil {
		t.Fatal(err)
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, filepath.Join(site, "dir"), unix.AT_FDCWD, link, unix.RENAME_EXCHANGE)
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

func TestASwappedLinkLeadsNoReaderOut(t *testing.T) {
	b := setup(t)
	b.write("dir/file", "inside")
	b.write("dir/sub/a", "inside")
	dir, _ := outside(t)
	stop := swap(t, b.site, dir)
	defer stop()
	ctx, release, err := b.repo.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		result, err := archive.Read(ctx, b.repo, b.sources(), b.options())
		if err != nil {
			continue // a folder that became a link is told, not followed
		}
		if _, err := b.repo.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		for _, e := range result.Entries {
			if e.Type == "file" && e.Size != int64(len("inside")) {
				t.Fatalf("%s was read from outside", e.Path)
			}
		}
	}
}

func TestASwappedLinkLeadsNoWriterOut(t *testing.T) {
	b := setup(t)
	b.write("dir/file", "inside")
	b.write("dir/sub/a", "inside")
	result, _ := b.backup(b.options())
	dir, entries := outside(t)
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o777); err != nil {
		t.Fatal(err)
	}
	before := entries()
	stop := swap(t, b.site, dir)
	options := b.options()
	options.InPlace = true
	// The test itself must not follow the link either.
	root, err := os.OpenRoot(b.site)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	refused, restored := 0, 0
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); {
		_ = root.WriteFile("dir/file", []byte("other"), 0o640)
		_ = root.Symlink(dir, "link")
		if _, err := archive.Restore(t.Context(), b.repo, result.Tree, b.sources(), options); err != nil {
			refused++
		} else {
			restored++
		}
	}
	stop()
	t.Logf("%d restores ended well, %d met the attacker", restored, refused)
	same(t, before, entries())
	// Left alone, the restore completes.
	if _, err := archive.Restore(t.Context(), b.repo, result.Tree, b.sources(), options); err != nil {
		t.Fatal(err)
	}
	same(t, result.Entries, b.scan())
}

// TestAHardLinkToSomethingForeignIsReplaced: giving a file its mode back must
// not give it to another file that a hostile site linked in its place.
func TestAHardLinkToSomethingForeignIsReplaced(t *testing.T) {
	b := setup(t)
	b.write("a", "outside secret")
	if err := os.Chmod(filepath.Join(b.site, "a"), 0o4777); err != nil {
		t.Fatal(err)
	}
	result, _ := b.backup(b.options())
	// The link must be on one file system with the site.
	foreign := filepath.Join(filepath.Dir(b.site), "foreign")
	if err := os.WriteFile(foreign, []byte("outside secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(b.site, "a")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(foreign, filepath.Join(b.site, "a")); err != nil {
		t.Fatal(err)
	}
	options := b.options()
	options.InPlace = true
	if _, err := archive.Restore(t.Context(), b.repo, result.Tree, b.sources(), options); err != nil {
		t.Fatal(err)
	}
	same(t, result.Entries, b.scan())
	if info, err := os.Stat(foreign); err != nil || info.Mode() != 0o600 {
		t.Errorf("the foreign file now is %v, %v", info.Mode(), err)
	}
}

func TestAHostileTreeIsRefused(t *testing.T) {
	b := setup(t)
	for _, name := range []string{"..", ".", "", "a/b", "a\\u0000b"} {
		text := []byte(`{"nodes":[{"name":"` + name + `","type":"file","mode":420,"content":[]}]}` + "\n")
		tree := b.plant(text)
		if _, err := archive.Entries(t.Context(), b.repo, tree); upkeep.CodeOf(err) != upkeep.CodeDamaged {
			t.Errorf("name %q: %v", name, err)
		}
	}
	tree := b.plant([]byte(`{"nodes":[{"name":"a","type":"symlink","linktarget":"/etc"},{"name":"a","type":"file","content":[]}]}`))
	if _, err := archive.Entries(t.Context(), b.repo, tree); upkeep.CodeOf(err) != upkeep.CodeDamaged {
		t.Errorf("a name twice: %v", err)
	}
}

// plant stores a tree as it is.
func (b *bench) plant(text []byte) vault.ID {
	b.t.Helper()
	ctx, release, err := b.repo.Lock(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	defer release()
	id := vault.ID(sum(text))
	if err := b.repo.Save(ctx, vault.TreeBlob, id, text); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.repo.Flush(ctx); err != nil {
		b.t.Fatal(err)
	}
	return id
}

func TestAFileThatKeepsChangingIsReported(t *testing.T) {
	b := setup(t)
	b.write("log", strings.Repeat("line\n", 1<<20))
	b.write("steady", "steady")
	done, ended := make(chan struct{}), make(chan struct{})
	f, err := os.OpenFile(filepath.Join(b.site, "log"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
				_, _ = f.WriteString("line\n")
			}
		}
	}()
	result, _ := b.backup(b.options())
	for range 20 { // on a busy machine the writer may have got no turn
		if len(result.Unsteady) > 0 {
			break
		}
		result, _ = b.backup(b.options())
	}
	close(done)
	<-ended
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if len(result.Unsteady) != 1 || string(result.Unsteady[0]) != "site/log" {
		t.Errorf("unsteady: %q", result.Unsteady)
	}
	b.check()
	file, err := archive.Open(t.Context(), b.repo, result.Tree, "site/log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if content, err := io.ReadAll(file); err != nil || !strings.HasPrefix(string(content), "line\nline\n") {
		t.Errorf("%d bytes, %v", len(content), err)
	}
}

func TestWhatCannotBeReadIsNamed(t *testing.T) {
	b := setup(t)
	b.fill()
	// Not even root reads this file: reading it gives EINVAL or EIO.
	bad, err := filepath.EvalSymlinks("/proc/self")
	if err != nil {
		t.Fatal(err)
	}
	ctx, release, err := b.repo.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	sources := []archive.Source{{Name: "site", Dir: b.site}, {Name: "proc", Dir: bad, Only: []string{"mem"}}}
	_, err = archive.Read(ctx, b.repo, sources, b.options())
	if err == nil || !strings.Contains(err.Error(), "proc/mem") || upkeep.HintOf(err) == "" {
		t.Errorf("reading what cannot be read: %v", err)
	}
}

// TestFoldersNestedTooDeepAreNamed: more than a restore follows is refused when
// it is read, and what is less survives, by whatever length of path.
func TestFoldersNestedTooDeepAreNamed(t *testing.T) {
	b := setup(t)
	fd, err := unix.Open(b.site, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	dig := func(levels int) {
		for range levels {
			name := "a folder of many"
			if err := unix.Mkdirat(fd, name, 0o755); err != nil {
				t.Fatal(err)
			}
			next, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
			if err != nil {
				t.Fatal(err)
			}
			_ = unix.Close(fd)
			fd = next
		}
	}
	defer func() { _ = unix.Close(fd) }()
	dig(300) // 5,000 bytes of path
	result, snapshot := b.backup(b.options())
	target := []archive.Source{{Name: "site", Dir: filepath.Join(t.TempDir(), "new")}}
	if _, err := archive.Restore(t.Context(), b.repo, result.Tree, target, b.options()); err != nil {
		t.Fatal(err)
	}
	got, err := archive.Scan(t.Context(), target, b.options())
	if err != nil {
		t.Fatal(err)
	}
	same(t, result.Entries, got)
	if _, err := b.repo.Verify(t.Context(), snapshot.ID, vault.VerifyOptions{Sample: 1}); err != nil {
		t.Error(err)
	}
	dig(3800)
	_, err = archive.Scan(t.Context(), b.sources(), b.options())
	if err == nil || !strings.Contains(err.Error(), "too deep") {
		t.Errorf("4100 levels: %v", err)
	}
}

func TestMemorySparesReadingButNotAsking(t *testing.T) {
	b := setup(t)
	b.fill()
	path := filepath.Join(t.TempDir(), "memory")
	later := func() time.Time { return time.Now().Add(time.Hour) }
	run := func(repo *vault.Repository, clock upkeep.Clock) *archive.Result {
		memory, err := archive.LoadMemory(path)
		if err != nil {
			t.Fatal(err)
		}
		ctx, release, err := repo.Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		options := archive.Options{Polynomial: b.repo.Polynomial(), Memory: memory, Clock: clock}
		result, err := archive.Read(ctx, repo, b.sources(), options)
		if err != nil {
			t.Fatal(err)
		}
		if err := memory.Save(path); err != nil {
			t.Fatal(err)
		}
		if _, err := repo.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		return result
	}
	first := run(b.repo, nil)
	if second := run(b.repo, later); second.Stats.Unchanged > 0 {
		t.Error("files that had just been written were trusted")
	}
	third := run(b.repo, later)
	if third.Stats.Read > 0 || third.Stats.Unchanged != third.Stats.Files || third.Stats.Added > 0 {
		t.Errorf("unchanged: %+v", third.Stats)
	}
	same(t, first.Entries, third.Entries)
	// The packs are lost: memory must not claim that all is stored.
	for _, folder := range []string{"data", "index"} {
		if err := os.RemoveAll(filepath.Join(b.dir, folder)); err != nil {
			t.Fatal(err)
		}
	}
	repo := reopen(t, b.dir)
	fourth := run(repo, later)
	if fourth.Stats.Read == 0 {
		t.Error("nothing was read although nothing is stored")
	}
	b.restores(repo, fourth.Tree, first.Entries)
	if err := os.WriteFile(path, []byte("upkeep memory 1\ngarbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	same(t, first.Entries, run(repo, later).Entries)
}

func TestOnlyAndExcludeLeaveTheRestAlone(t *testing.T) {
	b := setup(t)
	b.fill()
	b.write("cache/page", "cached")
	options := b.options()
	options.Exclude = func(source string, path []byte) bool { return source == "site" && string(path) == "cache" }
	result, _ := b.backup(options)
	if slices.ContainsFunc(result.Entries, func(e upkeep.Entry) bool { return strings.HasPrefix(string(e.Path), "site/cache") }) {
		t.Error("what is excluded was read")
	}
	b.damage()
	options.InPlace = true
	options.Only = [][]byte{[]byte("site/wp-content"), []byte("site/extra")}
	before := b.scan()
	if _, err := archive.Restore(t.Context(), b.repo, result.Tree, b.sources(), options); err != nil {
		t.Fatal(err)
	}
	after := b.scan()
	changed := func(path string) bool {
		return strings.HasPrefix(path, "site/wp-content") || path == "site/extra"
	}
	a, c := upkeep.Manifest{Entries: before}, upkeep.Manifest{Entries: after}
	for _, diff := range a.Compare(&c) {
		if !changed(diff.Path) {
			t.Errorf("%v was touched", diff)
		}
	}
	want, got := upkeep.Manifest{Entries: result.Entries}, upkeep.Manifest{Entries: after}
	for _, diff := range want.Compare(&got) {
		if changed(diff.Path) {
			t.Errorf("%v was not restored", diff)
		}
	}
	options.Only = nil
	if _, err := archive.Restore(t.Context(), b.repo, result.Tree, b.sources(), options); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(filepath.Join(b.site, "cache/page")); err != nil || string(content) != "cached" {
		t.Errorf("what is excluded was removed: %v", err)
	}
}

func TestSparseFilesStaySparse(t *testing.T) {
	b := setup(t)
	f, err := os.Create(filepath.Join(b.site, "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("data"), 30<<20); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(60 << 20); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	result, _ := b.backup(b.options())
	target := t.TempDir()
	sources := []archive.Source{{Name: "site", Dir: target}}
	if _, err := archive.Restore(t.Context(), b.repo, result.Tree, sources, b.options()); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(target, "sparse"), &st); err != nil || st.Size != 60<<20 || st.Blocks*512 > 1<<20 {
		t.Errorf("%d bytes in %d blocks, %v", st.Size, st.Blocks, err)
	}
}

func TestSettledFilesAreRememberedAtOnce(t *testing.T) {
	b := setup(t)
	b.fill()
	options := b.options()
	options.Memory, options.Settled = &archive.Memory{}, true
	first, _ := b.backup(options)
	second, _ := b.backup(options)
	if first.Stats.Read == 0 || second.Stats.Read > 0 || second.Tree != first.Tree {
		t.Errorf("first %+v, then %+v", first.Stats, second.Stats)
	}
	b.write("cache/page", "another")
	if third, _ := b.backup(options); third.Stats.Read != int64(len("another")) || third.Tree == first.Tree {
		t.Errorf("after a change: %+v", third.Stats)
	}
}
