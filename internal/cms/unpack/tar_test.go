package unpack_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/cms/unpack"
)

func tarball(t testing.TB, heads ...tar.Header) []byte {
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	w := tar.NewWriter(gz)
	for _, h := range heads {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		w.Write(bytes.Repeat([]byte("x"), int(h.Size)))
	}
	w.Close()
	gz.Close()
	return b.Bytes()
}

func tarballOf(t testing.TB, name string, content []byte) []byte {
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	w := tar.NewWriter(gz)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	w.Write(content)
	w.Close()
	gz.Close()
	return b.Bytes()
}

func TestTarGzUnpacks(t *testing.T) {
	archive := tarball(t,
		tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": "commit"}},
		tar.Header{Typeflag: tar.TypeDir, Name: "./"},
		tar.Header{Typeflag: tar.TypeDir, Name: "./wiki/", Mode: 0o777},
		tar.Header{Typeflag: tar.TypeReg, Name: "./wiki/doku.php", Mode: 0o4777, Size: 5},
		tar.Header{Typeflag: tar.TypeSymlink, Name: "wiki/bin/tool", Linkname: "../doku.php"},
	)
	report, dir, err := open(t, archive, unpack.Limits{Links: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Files) != 1 || report.Links["wiki/bin/tool"] != "../doku.php" {
		t.Errorf("report %+v", report)
	}
	info, err := os.Stat(filepath.Join(dir, "wiki/doku.php"))
	if err != nil || info.Mode() != 0o644 {
		t.Errorf("%v %v", info, err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "wiki/bin/tool")); err != nil || string(got) != "xxxxx" {
		t.Errorf("through the link: %q, %v", got, err)
	}
}

func TestTarGzRefuses(t *testing.T) {
	reg := func(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 3} }
	good := tarball(t, reg("a"))
	flipped := bytes.Clone(good)
	flipped[len(flipped)-6] ^= 1 // in the checksum
	cases := []struct {
		name    string
		archive []byte
		want    string
	}{
		{"absolute", tarball(t, reg("/etc/x")), "absolute"},
		{"parent", tarball(t, reg("./../x")), "leaves"},
		{"hard link", tarball(t, tar.Header{Typeflag: tar.TypeLink, Name: "a", Linkname: "/etc/passwd"}), "neither"},
		{"symlink", tarball(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "b"}), "link"},
		{"device", tarball(t, tar.Header{Typeflag: tar.TypeBlock, Name: "a"}), "neither"},
		{"fifo", tarball(t, tar.Header{Typeflag: tar.TypeFifo, Name: "a"}), "neither"},
		{"twice", tarball(t, reg("a"), reg("a")), "twice"},
		{"bomb", tarball(t, tar.Header{Typeflag: tar.TypeReg, Name: "a", Size: 40 << 20}), "unpacks to more"},
		{"checksum", flipped, "checksum"},
		{"cut", good[:len(good)-12], "EOF"},
		{"trailing", append(bytes.Clone(good), "xxxxxxxxxx"...), "end of the archive"},
		{"empty", tarball(t), "empty"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := open(t, c.archive, unpack.Limits{})
			if upkeep.CodeOf(err) != upkeep.CodeRefused || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v (%s), want refused with %q", err, upkeep.CodeOf(err), c.want)
			}
		})
	}
}

func FuzzTarGz(f *testing.F) {
	f.Add([]byte("a/b"), []byte("c"), byte(tar.TypeReg))
	f.Add([]byte("a/../../b"), []byte("../c"), byte(tar.TypeSymlink))
	f.Fuzz(func(t *testing.T, name, link []byte, kind byte) {
		var b bytes.Buffer
		gz := gzip.NewWriter(&b)
		w := tar.NewWriter(gz)
		for _, h := range []tar.Header{{Typeflag: tar.TypeReg, Name: "a/x", Size: 1}, {Typeflag: kind, Name: string(name), Linkname: string(link)}, {Typeflag: tar.TypeReg, Name: string(name) + "/y", Size: 1}} {
			if w.WriteHeader(&h) == nil {
				w.Write(bytes.Repeat([]byte("x"), int(h.Size)))
			}
		}
		w.Close()
		gz.Close()
		report, dir, err := open(t, b.Bytes(), unpack.Limits{Entries: 50, Links: true})
		within(t, dir, report, err)
	})
}

func TestPackageIsOfEitherKind(t *testing.T) {
	zipped, err := zipOf(map[string]string{"a/x.txt": "x"})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"zip": zipped, "tgz": tarballOf(t, "a/x.txt", []byte("x")), "neither": []byte("<html>"), "empty": nil} {
		dir := t.TempDir()
		file := filepath.Join(dir, "package")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		report, err := unpack.Package(t.Context(), file, root, unpack.Limits{})
		if good := name == "zip" || name == "tgz"; good != (err == nil) || good && len(report.Files) != 1 || !good && upkeep.CodeOf(err) != upkeep.CodeRefused {
			t.Errorf("%s: %+v, %v", name, report, err)
		}
	}
}

// zipOf packs files.
func zipOf(files map[string]string) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range files {
		entry, err := w.Create(name)
		if err != nil {
			return nil, err
		}
		if _, err := entry.Write([]byte(text)); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}
