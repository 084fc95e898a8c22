package feed_test

import (
	"archive/zip"
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/feed"
)

// archive returns a zip of about n bytes that do not compress.
func archive(t testing.TB, n int) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	f, err := w.Create("akismet/akismet.php")
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, n)
	_, _ = rand.Read(noise)
	_, _ = f.Write(noise)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func packageAt(address string) upkeep.Release {
	return upkeep.Release{Kind: upkeep.Plugin, Slug: "akismet", Version: "5.3", Package: address, Source: "wordpress.org"}
}

func open(t testing.TB, dir string, o feed.Options, limit int64) *feed.Packages {
	t.Helper()
	store, err := feed.NewPackages(dir, feed.NewClient(o), limit)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestFetchOnceForEverybody(t *testing.T) {
	body := archive(t, 100_000)
	var asked atomic.Int32
	at := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write(body)
	})
	dir := filepath.Join(t.TempDir(), "store")
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			store := open(t, dir, trusting(at), 0) // its own handle, as another process has
			pkg, err := store.Fetch(t.Context(), packageAt(at), nil)
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := os.ReadFile(pkg.Path); err != nil || !bytes.Equal(got, body) || pkg.Size != int64(len(body)) {
				t.Errorf("%s: %d bytes, %v", pkg.Path, len(got), err)
			}
		})
	}
	wait.Wait()
	if asked.Load() != 1 {
		t.Errorf("downloaded %d times", asked.Load())
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("store folder: %v %v", info.Mode(), err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "tmp")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Run by TestFetchOnceAcrossProcesses.
func TestFetchInAnotherProcess(t *testing.T) {
	at, dir := os.Getenv("FEED_TEST_URL"), os.Getenv("FEED_TEST_DIR")
	if at == "" {
		t.SkipNow()
	}
	if _, err := open(t, dir, trusting(at), 0).Fetch(t.Context(), packageAt(at), nil); err != nil {
		t.Fatal(err)
	}
}

func TestFetchOnceAcrossProcesses(t *testing.T) {
	body := archive(t, 300_000)
	var asked atomic.Int32
	at := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write(body)
	})
	dir := t.TempDir()
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestFetchInAnotherProcess$")
			cmd.Env = append(os.Environ(), "FEED_TEST_URL="+at, "FEED_TEST_DIR="+dir)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	wait.Wait()
	if asked.Load() != 1 {
		t.Errorf("downloaded %d times", asked.Load())
	}
}

func TestFetchAgainWhenStoredPackageIsCorrupt(t *testing.T) {
	body := archive(t, 10_000)
	var asked atomic.Int32
	at := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write(body)
	})
	dir := t.TempDir()
	store := open(t, dir, trusting(at), 0)
	fetch := func() feed.Package {
		t.Helper()
		pkg, err := store.Fetch(t.Context(), packageAt(at), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(pkg.Path); !bytes.Equal(got, body) {
			t.Fatal("not the package")
		}
		return pkg
	}
	damage := []func(pkg feed.Package) error{
		func(pkg feed.Package) error {
			bad := bytes.Clone(body)
			bad[len(bad)/2] ^= 1
			return os.WriteFile(pkg.Path, bad, 0o600)
		},
		func(pkg feed.Package) error { return os.Truncate(pkg.Path, 100) },
		func(pkg feed.Package) error { return os.Remove(pkg.Path) },
		func(feed.Package) error {
			refs, _ := filepath.Glob(filepath.Join(dir, "refs", "*"))
			return os.WriteFile(refs[0], []byte(`{"sha256":"../../etc/passwd"}`), 0o600)
		},
	}
	for i, spoil := range damage {
		if err := spoil(fetch()); err != nil {
			t.Fatal(err)
		}
		fetch()
		fetch()
		if asked.Load() != int32(i+2) {
			t.Errorf("damage %d: downloaded %d times", i, asked.Load())
		}
	}
}

func TestFetchChecksHashes(t *testing.T) {
	body := archive(t, 10_000)
	m, s1, s2 := md5.Sum(body), sha1.Sum(body), sha256.Sum256(body)
	header := ""
	at := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if header != "" {
			w.Header().Set("Content-MD5", header)
		}
		_, _ = w.Write(body)
	})
	wrong := strings.Repeat("0", 64)
	tests := []struct {
		name   string
		header string
		hashes map[string]string
		want   upkeep.Code
	}{
		{"none", "", nil, ""},
		{"all", base64.StdEncoding.EncodeToString(m[:]), map[string]string{"md5": hex.EncodeToString(m[:]), "sha1": hex.EncodeToString(s1[:]), "sha256": strings.ToUpper(hex.EncodeToString(s2[:]))}, ""},
		{"header in hex", hex.EncodeToString(m[:]), nil, ""},
		{"header is nonsense", "nonsense", nil, ""},
		{"header differs", hex.EncodeToString(make([]byte, 16)), nil, upkeep.CodeRefused},
		{"sha256 differs", "", map[string]string{"sha256": wrong}, upkeep.CodeRefused},
		{"sha1 differs", "", map[string]string{"sha1": wrong[:40]}, upkeep.CodeRefused},
		{"md5 differs", "", map[string]string{"md5": wrong[:32]}, upkeep.CodeRefused},
		{"unknown kind", "", map[string]string{"crc32": "00000000"}, upkeep.CodeRefused},
	}
	dir := t.TempDir()
	for _, test := range tests {
		header = test.header
		release := packageAt(at + "/" + url.PathEscape(test.name))
		release.Hashes = test.hashes
		_, err := open(t, dir, trusting(at), 0).Fetch(t.Context(), release, nil)
		if upkeep.CodeOf(err) != test.want {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	// What is stored already must be the published package as well.
	release := packageAt(at + "/none")
	release.Hashes = map[string]string{"sha256": wrong}
	if _, err := open(t, dir, trusting(at), 0).Fetch(t.Context(), release, nil); upkeep.CodeOf(err) != upkeep.CodeRefused {
		t.Errorf("stored: %v", err)
	}
}

func TestFetchRefuses(t *testing.T) {
	body := archive(t, 50_000)
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/login":
			_, _ = w.Write([]byte("\n<!DOCTYPE html><html><title>Log in</title></html>"))
		case "/json":
			_, _ = w.Write([]byte(`{"error":"licence expired"}`))
		case "/executable":
			_, _ = w.Write([]byte("\x7fELF\x02\x01\x01\x00\x00\x00"))
		case "/endless":
			for range 100 {
				_, _ = w.Write(body)
			}
		case "/cut-inside":
			_, _ = w.Write(body[:len(body)-500])
		case "/empty":
		default:
			var status int
			_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
			w.WriteHeader(status)
		}
	})
	tests := []struct {
		path, hint string
		want       upkeep.Code
	}{
		{"/login", "licence", upkeep.CodeRefused},
		{"/json", "licence", upkeep.CodeRefused},
		{"/executable", "", upkeep.CodeRefused},
		{"/endless", "", upkeep.CodeRefused},
		{"/cut-inside", "", upkeep.CodeRefused},
		{"/empty", "", upkeep.CodeRefused},
		{"/401", "licence", upkeep.CodeHeld},
		{"/402", "licence", upkeep.CodeHeld},
		{"/403", "licence", upkeep.CodeHeld},
		{"/404", "check for updates again", upkeep.CodeNotFound},
		{"/410", "check for updates again", upkeep.CodeNotFound},
		{"/500", "", upkeep.CodeUnreachable},
	}
	dir := t.TempDir()
	store := open(t, dir, trusting(at), 100_000)
	for _, test := range tests {
		_, err := store.Fetch(t.Context(), packageAt(at+test.path), nil)
		if upkeep.CodeOf(err) != test.want || !strings.Contains(upkeep.HintOf(err), test.hint) {
			t.Errorf("%s: code %s, %v, hint %q", test.path, upkeep.CodeOf(err), err, upkeep.HintOf(err))
		}
	}
	if _, err := store.Fetch(t.Context(), packageAt(""), nil); upkeep.CodeOf(err) != upkeep.CodeHeld {
		t.Errorf("no package: %v", err)
	}
	for _, sub := range []string{"refs", "content", "tmp"} {
		if left, _ := os.ReadDir(filepath.Join(dir, sub)); len(left) != 0 {
			t.Errorf("%s keeps %v", sub, left)
		}
	}
}

// breaking serves body, but the first answers stop after some bytes: the
// connection breaks, or nothing comes any more.
func breaking(t testing.TB, body []byte, etag string, silent bool, stops ...int) (address string, ranges *[]string) {
	ranges = new([]string)
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		*ranges = append(*ranges, r.Header.Get("Range"))
		if etag != "" {
			w.Header().Set("ETag", etag)
		}
		if len(stops) == 0 {
			http.ServeContent(w, r, "a.zip", time.Time{}, bytes.NewReader(body))
			return
		}
		stop := stops[0]
		stops = stops[1:]
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = w.Write(body[:stop])
		_ = http.NewResponseController(w).Flush()
		if silent {
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler)
	})
	return at, ranges
}

func TestFetchGoesOnWhereItBroke(t *testing.T) {
	body := archive(t, 200_000)
	tests := []struct {
		name, etag string
		silent     bool
		ranges     string
	}{
		{"resumes", `"v1"`, false, ",bytes=70000-"},
		{"resumes after silence", `"v1"`, true, ",bytes=70000-"},
		{"starts again without a strong etag", `W/"v1"`, false, ","},
		{"starts again without an etag", "", false, ","},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			at, ranges := breaking(t, body, test.etag, test.silent, 70_000)
			var last int64
			pkg, err := open(t, t.TempDir(), trusting(at), 0).Fetch(t.Context(), packageAt(at), func(done, total int64) {
				last = done
				if total != int64(len(body)) {
					t.Errorf("total %d", total)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := os.ReadFile(pkg.Path); !bytes.Equal(got, body) || last != int64(len(body)) {
				t.Errorf("%d bytes, progress ended at %d", len(got), last)
			}
			if got := strings.Join(*ranges, ","); got != test.ranges {
				t.Errorf("ranges %q", got)
			}
		})
	}
	at, ranges := breaking(t, body, "", false, 1, 2, 3, 4, 5, 6)
	if _, err := open(t, t.TempDir(), trusting(at), 0).Fetch(t.Context(), packageAt(at), nil); upkeep.CodeOf(err) != upkeep.CodeUnreachable || len(*ranges) != 4 {
		t.Errorf("after %d attempts: %v", len(*ranges), err)
	}
}

func TestPrune(t *testing.T) {
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X", r.URL.Path)
		_, _ = w.Write(archive(t, 1000))
	})
	now := time.Now()
	o := trusting(at)
	o.Clock = func() time.Time { return now }
	dir := t.TempDir()
	store := open(t, dir, o, 0)
	fetch := func(path string) feed.Package {
		t.Helper()
		pkg, err := store.Fetch(t.Context(), packageAt(at+path), nil)
		if err != nil {
			t.Fatal(err)
		}
		return pkg
	}
	old, used := fetch("/old"), fetch("/used")
	now = now.Add(40 * 24 * time.Hour)
	fetch("/used")
	freed, err := store.Prune(t.Context(), 30*24*time.Hour)
	if err != nil || freed != old.Size {
		t.Errorf("freed %d, want %d: %v", freed, old.Size, err)
	}
	if _, err := os.Stat(used.Path); err != nil {
		t.Errorf("a used package is gone: %v", err)
	}
	if _, err := os.Stat(old.Path); err == nil {
		t.Error("an old package is still there")
	}
	fetch("/old")
}

func TestFetchDistrustsResumption(t *testing.T) {
	body := archive(t, 200_000)
	answers := 0
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		answers++
		w.Header().Set("ETag", `"v1"`)
		switch answers {
		case 1:
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			_, _ = w.Write(body[:70_000])
			panic(http.ErrAbortHandler)
		case 2: // another range than the one asked for
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 80000-%d/%d", len(body)-1, len(body)))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(body[80_000:])
		default:
			if r.Header.Get("Range") != "" {
				t.Errorf("asked for %s after a wrong answer", r.Header.Get("Range"))
			}
			_, _ = w.Write(body)
		}
	})
	pkg, err := open(t, t.TempDir(), trusting(at), 0).Fetch(t.Context(), packageAt(at), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(pkg.Path); !bytes.Equal(got, body) || answers != 3 {
		t.Errorf("%d bytes after %d answers", len(got), answers)
	}
}

func TestFetchOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=128k"); err != nil {
		t.Skipf("mounting a small file system needs root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	body := archive(t, 500_000)
	at := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	_, err := open(t, filepath.Join(dir, "store"), trusting(at), 0).Fetch(t.Context(), packageAt(at), nil)
	if upkeep.CodeOf(err) != upkeep.CodeNoSpace || upkeep.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "store", "tmp")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
