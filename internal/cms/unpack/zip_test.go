package unpack_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/cms/unpack"
)

// entry is one member of a zip written by hand, so that it can lie.
type entry struct {
	name, body string
	mode       uint32 // unix mode in the directory; 0 for none
	deflate    bool

	localName string // when it differs
	flags     uint16
	crc       *uint32
	size      *uint32 // announced in both places
	localSize *uint32
	offset    *uint32
	method    *uint16
	extra     []byte // of the local header
}

func ptr[T any](v T) *T { return &v }

func (e entry) packed() []byte {
	if !e.deflate {
		return []byte(e.body)
	}
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	w.Write([]byte(e.body))
	w.Close()
	return b.Bytes()
}

// build writes the archive.
func build(entries []entry) []byte {
	le := binary.LittleEndian
	var out, dir []byte
	for _, e := range entries {
		data, crc, size := e.packed(), crc32.ChecksumIEEE([]byte(e.body)), uint32(len(e.body))
		method := uint16(0)
		if e.deflate {
			method = 8
		}
		pick := func(v *uint32, d uint32) uint32 {
			if v != nil {
				return *v
			}
			return d
		}
		if e.method != nil {
			method = *e.method
		}
		crc, size = pick(e.crc, crc), pick(e.size, size)
		offset := pick(e.offset, uint32(len(out)))
		local := e.name
		if e.localName != "" {
			local = e.localName
		}
		sizes := func(b []byte, size uint32) []byte {
			b = le.AppendUint16(b, e.flags)
			b = le.AppendUint16(b, method)
			b = le.AppendUint32(b, 0)
			b = le.AppendUint32(b, crc)
			b = le.AppendUint32(b, uint32(len(data)))
			return le.AppendUint32(b, size)
		}
		out = append(out, "PK\x03\x04\x14\x00"...)
		out = sizes(out, pick(e.localSize, size))
		out = le.AppendUint16(out, uint16(len(local)))
		out = le.AppendUint16(out, uint16(len(e.extra)))
		out = append(append(append(out, local...), e.extra...), data...)

		dir = append(dir, "PK\x01\x02\x14\x03\x14\x00"...) // made by unix
		dir = sizes(dir, size)
		dir = le.AppendUint16(dir, uint16(len(e.name)))
		dir = append(dir, make([]byte, 8)...)
		dir = le.AppendUint32(dir, e.mode<<16)
		dir = le.AppendUint32(dir, offset)
		dir = append(dir, e.name...)
	}
	return finish(out, dir, len(entries))
}

func finish(out, dir []byte, count int) []byte {
	le := binary.LittleEndian
	start := len(out)
	out = append(out, dir...)
	out = append(out, "PK\x05\x06\x00\x00\x00\x00"...)
	out = le.AppendUint16(out, uint16(count))
	out = le.AppendUint16(out, uint16(count))
	out = le.AppendUint32(out, uint32(len(dir)))
	out = le.AppendUint32(out, uint32(start))
	return append(out, 0, 0)
}

// open unpacks bytes to a new folder and returns its path.
func open(t testing.TB, archive []byte, limits unpack.Limits) (unpack.Report, string, error) {
	t.Helper()
	parent := t.TempDir()
	file, target := filepath.Join(parent, "package.zip"), filepath.Join(parent, "in")
	if err := os.WriteFile(file, archive, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(target, 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(target)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	do := unpack.Zip
	if bytes.HasPrefix(archive, []byte("\x1f\x8b")) {
		do = unpack.TarGz
	}
	report, err := do(context.Background(), file, root, limits)
	outside, _ := os.ReadDir(parent)
	if len(outside) != 2 {
		t.Errorf("something was made outside the folder: %v", outside)
	}
	return report, target, err
}

func TestZipUnpacksAndHashes(t *testing.T) {
	body := strings.Repeat("<?php // long\n", 5000)
	archive := build([]entry{
		{name: "shop/", mode: 0o40777},
		{name: "shop/shop.php", body: body, mode: 0o106777, deflate: true}, // setuid, setgid, world-writable
		{name: "shop/inc/empty.txt", mode: 0o100400},
		{name: "shop/é.txt", body: "é"},
	})
	report, dir, err := open(t, archive, unpack.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(body))
	if got := report.Files["shop/shop.php"]; got != hex.EncodeToString(sum[:]) {
		t.Errorf("hash %s", got)
	}
	if len(report.Files) != 3 || report.Bytes != int64(len(body)+2) {
		t.Errorf("report %+v", report)
	}
	for name, want := range map[string]fs.FileMode{"shop": 0o755, "shop/shop.php": 0o644, "shop/inc": 0o755, "shop/inc/empty.txt": 0o644} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode()&(fs.ModePerm|fs.ModeSetuid|fs.ModeSetgid) != want {
			t.Errorf("%s: %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "shop/shop.php")); string(got) != body {
		t.Error("content differs")
	}
}

func TestZipTakesWhatCommonWritersMake(t *testing.T) {
	var b bytes.Buffer // Go's writer uses trailing sizes, as streaming services do
	w := zip.NewWriter(&b)
	w.SetComment("0123456789abcdef0123456789abcdef01234567") // as GitHub does
	for _, name := range []string{"a/b.php", "a/c/d.css"} {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte(name))
	}
	w.Close()
	if _, _, err := open(t, b.Bytes(), unpack.Limits{}); err != nil {
		t.Error(err)
	}
}

func TestZipRefuses(t *testing.T) {
	php := entry{name: "a/a.php", body: "<?php"}
	big := strings.Repeat("0", 1<<20)
	good := build([]entry{php})
	overlap := func() []byte { // both records lead to the first entry's data
		return build([]entry{{name: "a/a.php", body: "<?php"}, {name: "a/a.php", body: "<?php", offset: ptr[uint32](0)}})
	}
	many := make([]entry, 30)
	for i := range many {
		many[i] = entry{name: "a/" + string(rune('a'+i))}
	}
	long := strings.Repeat("x", 256)
	cases := []struct {
		name    string
		archive []byte
		limits  unpack.Limits
		want    string
	}{
		{"absolute", build([]entry{{name: "/etc/passwd"}}), unpack.Limits{}, "absolute"},
		{"parent", build([]entry{{name: "a/../../b"}}), unpack.Limits{}, "leaves"},
		{"parent folder", build([]entry{{name: "../"}}), unpack.Limits{}, "leaves"},
		{"dot", build([]entry{{name: "a/./b"}}), unpack.Limits{}, "leaves"},
		{"double slash", build([]entry{{name: "a//b"}}), unpack.Limits{}, "absolute"},
		{"backslash", build([]entry{{name: `..\..\b`}}), unpack.Limits{}, "backslash"},
		{"drive", build([]entry{{name: "C:b"}}), unpack.Limits{}, "drive"},
		{"nul", build([]entry{{name: "a.php\x00.txt"}}), unpack.Limits{}, "control"},
		{"newline", build([]entry{{name: "a\n.php"}}), unpack.Limits{}, "control"},
		{"not utf-8", build([]entry{{name: "a\xff.php"}}), unpack.Limits{}, "UTF-8"},
		{"no name", build([]entry{{name: ""}}), unpack.Limits{}, "no name"},
		{"root folder", build([]entry{{name: "/"}}), unpack.Limits{}, "no name"},
		{"long part", build([]entry{{name: long}}), unpack.Limits{}, "255"},
		{"long name", build([]entry{{name: strings.Repeat("abc/", 30) + "d"}}), unpack.Limits{Name: 100}, "at most 100"},
		{"deep", build([]entry{{name: "a/b/c/d"}}), unpack.Limits{Depth: 2}, "deep"},
		{"link out", build([]entry{{name: "a/l", body: "/etc/passwd", mode: 0o120777}}), unpack.Limits{}, "link"},
		{"link out allowed in", build([]entry{{name: "a/l", body: "../../etc", mode: 0o120777}}), unpack.Limits{Links: true}, "leads out"},
		{"below a link", build([]entry{{name: "a/l", body: "b", mode: 0o120777}, {name: "a/l/x"}}), unpack.Limits{Links: true}, "both a folder"},
		{"link chain out", build([]entry{{name: "d/e/x"}, {name: "l", body: "d/e", mode: 0o120777}, {name: "m", body: "l/../../../outside", mode: 0o120777}}), unpack.Limits{Links: true}, "leads out"},
		{"device", build([]entry{{name: "a/d", mode: 0o020666}}), unpack.Limits{}, "neither"},
		{"fifo", build([]entry{{name: "a/d", mode: 0o010666}}), unpack.Limits{}, "neither"},
		{"folder mode on a file", build([]entry{{name: "a/d", mode: 0o040755}}), unpack.Limits{}, "disagree"},
		{"folder with content", build([]entry{{name: "a/", body: "x"}}), unpack.Limits{}, "content"},
		{"twice", build([]entry{php, php}), unpack.Limits{}, "twice"},
		{"case", build([]entry{php, {name: "a/A.php"}}), unpack.Limits{}, "case"},
		{"case of folders", build([]entry{php, {name: "A/b.php"}}), unpack.Limits{}, "case"},
		{"case beyond ASCII", build([]entry{{name: "ſ.php"}, {name: "s.php"}}), unpack.Limits{}, "case"},
		{"file then folder", build([]entry{{name: "a"}, {name: "a/b"}}), unpack.Limits{}, "both"},
		{"folder then file", build([]entry{{name: "a/b"}, {name: "a"}}), unpack.Limits{}, "twice"},
		{"encrypted", build([]entry{{name: "a", body: "x", flags: 1}}), unpack.Limits{}, "encrypted"},
		{"names disagree", build([]entry{{name: "a.txt", localName: "a.php", body: "x"}}), unpack.Limits{}, "elsewhere"},
		{"sizes disagree", build([]entry{{name: "a", body: "x", localSize: ptr[uint32](2)}}), unpack.Limits{}, "disagree"},
		{"zip64 lie", build([]entry{{name: "a", body: "x", localSize: ptr[uint32](1<<32 - 1)}}), unpack.Limits{}, "disagree"},
		{"zip64 in the directory", build([]entry{{name: "a", body: "x", size: ptr[uint32](1<<32 - 1)}}), unpack.Limits{}, "zip64"},
		{"overlap", overlap(), unpack.Limits{}, "overlaps"},
		{"checksum", build([]entry{{name: "a", body: "x", crc: ptr[uint32](7)}}), unpack.Limits{}, "checksum"},
		{"more than announced", build([]entry{{name: "a", body: big, deflate: true, size: ptr[uint32](10)}}), unpack.Limits{}, `entry "a"`},
		{"less than announced", build([]entry{{name: "a", body: "x", deflate: true, size: ptr[uint32](10)}}), unpack.Limits{}, `entry "a"`},
		{"method", build([]entry{{name: "a", body: "x", method: ptr[uint16](12)}}), unpack.Limits{}, "method 12"},
		{"too many", build(many), unpack.Limits{Entries: 20}, "entries"},
		{"folders count", build([]entry{{name: "1/2/3/4/5/6"}}), unpack.Limits{Entries: 3}, "more than 3"},
		{"file too large", build([]entry{{name: "a", body: big, deflate: true}}), unpack.Limits{File: 1000}, "at most 1000"},
		{"total too large", build([]entry{{name: "a", body: big, deflate: true}, {name: "b", body: big, deflate: true}}), unpack.Limits{Total: 3 << 19}, "more than"},
		{"ratio", build([]entry{{name: "a", body: strings.Repeat(big, 17), deflate: true}}), unpack.Limits{}, "times its size"},
		{"archive too large", good, unpack.Limits{Archive: 10}, "regular file"},
		{"prefix", append([]byte("#!/bin/sh\n"), good...), unpack.Limits{}, "before"},
		{"suffix", append(bytes.Clone(good), "trailing"...), unpack.Limits{}, "not a zip"},
		{"empty", finish(nil, nil, 0), unpack.Limits{}, "empty"},
		{"nothing", nil, unpack.Limits{}, "not a zip"},
		{"cut", good[:len(good)-30], unpack.Limits{}, "not a zip"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := open(t, c.archive, c.limits)
			if upkeep.CodeOf(err) != upkeep.CodeRefused || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v (%s), want refused with %q", err, upkeep.CodeOf(err), c.want)
			}
		})
	}
}

func TestZipStopsWhenAsked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.zip")
	os.WriteFile(file, build([]entry{{name: "a", body: "x"}}), 0o600)
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := unpack.Zip(ctx, file, root, unpack.Limits{}); upkeep.CodeOf(err) != upkeep.CodeInterrupted {
		t.Errorf("got %v, want interrupted", err)
	}
}

func FuzzZip(f *testing.F) {
	f.Add(build([]entry{{name: "a/a.php", body: "<?php", deflate: true}, {name: "a/b/", mode: 0o40755}}))
	f.Add(build([]entry{{name: "../x", body: "y"}, {name: "l", body: "../..", mode: 0o120777}}))
	f.Fuzz(func(t *testing.T, archive []byte) {
		if bytes.HasPrefix(archive, []byte("\x1f\x8b")) {
			t.Skip()
		}
		limits := unpack.Limits{Entries: 50, Total: 1 << 20, Links: true}
		report, dir, err := open(t, archive, limits)
		within(t, dir, report, err)
	})
}

// within checks what holds of every archive: refused or complete, inside the
// folder, of plain types and modes.
func within(t *testing.T, dir string, report unpack.Report, err error) {
	if err != nil && upkeep.CodeOf(err) != upkeep.CodeRefused && upkeep.CodeOf(err) != upkeep.CodeNoSpace {
		t.Errorf("error of another kind: %v", err)
	}
	files := 0
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, werr error) error {
		if werr != nil {
			t.Error(werr)
			return nil
		}
		switch d.Type() {
		case 0:
			files++
		case fs.ModeDir:
		case fs.ModeSymlink:
			if to, terr := filepath.EvalSymlinks(path); err == nil && terr == nil && to != dir && !strings.HasPrefix(to, dir+"/") {
				t.Errorf("%s leads to %s", path, to)
			}
		default:
			t.Errorf("%s is a %s", path, d.Type())
		}
		return nil
	})
	if err == nil && files != len(report.Files) {
		t.Errorf("%d files, %d reported", files, len(report.Files))
	}
}
