package feed

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"upkeep"
)

// download brings the package of release and keeps it once it is checked.
func (p *Packages) download(ctx context.Context, key string, release upkeep.Release, progress Progress) (_ Package, err error) {
	f, err := os.CreateTemp(filepath.Join(p.dir, "tmp"), "package-")
	if err != nil {
		return Package{}, diskError(err)
	}
	defer os.Remove(f.Name()) // gone already once kept
	defer f.Close()
	d := &download{store: p, file: f, release: release, progress: progress}
	var checked ref
	err = p.client.retry(ctx, attempts+1, func() error {
		if err := d.attempt(ctx); err != nil {
			return err
		}
		checked, err = d.check()
		return err
	})
	if errors.Is(err, errDamaged) {
		return Package{}, upkeep.Errorf(upkeep.CodeRefused, "%d times over: %w", attempts+1, err)
	}
	if err != nil {
		return Package{}, err
	}
	if err := f.Sync(); err != nil {
		return Package{}, diskError(err)
	}
	return p.keep(key, f.Name(), release, checked)
}

// download is one package on its way.
type download struct {
	store    *Packages
	file     *os.File
	release  upkeep.Release
	progress Progress

	have int64  // bytes in file that belong to the version etag
	etag string // strong: what a resumed download must still be
	md5  string // lower-case hex, where the server says it
}

// attempt asks for what is missing of the package. On any error the next
// attempt goes on where this one ended, if the server can.
func (d *download) attempt(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := d.store.client
	silence := time.AfterFunc(c.stall, func() { cancel(errStalled) })
	defer silence.Stop()

	req, err := c.newRequest(ctx, Request{URL: d.release.Package})
	if err != nil {
		return err
	}
	// Asked for as it is: a length and a hash are of these bytes.
	req.Header.Set("Accept-Encoding", "identity")
	if d.have > 0 && d.etag != "" {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", d.have))
		req.Header.Set("If-Range", d.etag)
	}
	resp, err := c.do(req)
	if err != nil {
		return stalled(ctx, err)
	}
	defer resp.Body.Close()
	if err := d.begin(resp); err != nil {
		return err
	}
	return stalled(ctx, d.receive(resp, silence))
}

// errStalled cancels a download that stays silent.
var errStalled = errors.New("no byte arrives any more")

// errDamaged is the cause where fetching again may help. A package that
// arrives so every time is refused.
var errDamaged = errors.New("the package arrived damaged")

func stalled(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errStalled) {
		return upkeep.Errorf(upkeep.CodeUnreachable, "download broke off: %w", errStalled)
	}
	return err
}

// begin reads the head of the answer and puts the file where the body goes.
func (d *download) begin(resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusPartialContent:
		var first int64
		if _, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-", &first); err != nil || first != d.have {
			d.have, d.etag = 0, ""
			return upkeep.Errorf(upkeep.CodeUnreachable, "%s resumes at the wrong place", resp.Request.URL.Host)
		}
	case http.StatusOK:
		d.have = 0
	case http.StatusRequestedRangeNotSatisfiable:
		d.have, d.etag = 0, ""
		return upkeep.Errorf(upkeep.CodeUnreachable, "%s cannot resume", resp.Request.URL.Host)
	default:
		return statusError(resp)
	}
	d.etag = resp.Header.Get("ETag")
	if strings.HasPrefix(d.etag, "W/") {
		d.etag = ""
	}
	d.md5 = contentMD5(resp.Header.Get("Content-MD5"))
	if limit := d.store.limit; resp.ContentLength > limit-d.have {
		return d.tooLarge()
	}
	if err := d.file.Truncate(d.have); err != nil {
		return diskError(err)
	}
	_, err := d.file.Seek(d.have, io.SeekStart)
	return err
}

func (d *download) tooLarge() error {
	return upkeep.Errorf(upkeep.CodeRefused, "the package is larger than %d bytes", d.store.limit)
}

// receive writes the body to the file. The silence timer is wound up again
// by every piece that arrives.
func (d *download) receive(resp *http.Response, silence *time.Timer) error {
	total := int64(0)
	if resp.ContentLength > 0 {
		total = d.have + resp.ContentLength
	}
	buf := make([]byte, 128<<10)
	for {
		n, err := resp.Body.Read(buf)
		if d.have+int64(n) > d.store.limit {
			return d.tooLarge()
		}
		if n > 0 {
			silence.Reset(d.store.client.stall)
			if _, err := d.file.Write(buf[:n]); err != nil {
				return diskError(err)
			}
			d.have += int64(n)
			d.progress(d.have, max(total, d.have))
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return upkeep.Errorf(upkeep.CodeUnreachable, "download broke off after %d bytes: %w", d.have, err)
		}
	}
}

// check says whether the file is the package that was promised. What may be
// damage on the way is CodeUnreachable, so that it is fetched again.
func (d *download) check() (ref, error) {
	published := d.release.Hashes
	sums := newSums(published)
	size, err := io.Copy(sums, io.NewSectionReader(d.file, 0, d.have))
	if err != nil {
		return ref{}, err
	}
	if err := d.looksLikePackage(size); err != nil {
		return ref{}, err
	}
	restart := func(err error) (ref, error) {
		d.have, d.etag = 0, ""
		return ref{}, err
	}
	if d.md5 != "" && sums.hex("md5") != d.md5 {
		return restart(upkeep.Errorf(upkeep.CodeUnreachable, "%w: its Content-MD5 differs", errDamaged))
	}
	if err := sums.check(published); err != nil {
		return restart(err)
	}
	return ref{SHA256: sums.sha256(), Size: size}, nil
}

// looksLikePackage tells a zip or gzip archive from the pages that vendors
// send with status 200 in their place.
func (d *download) looksLikePackage(size int64) error {
	head := make([]byte, 512)
	n, err := d.file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	head = head[:n]
	switch {
	case n == 0:
		return upkeep.Errorf(upkeep.CodeUnreachable, "%w: it is empty", errDamaged)
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		if _, err := zip.NewReader(d.file, size); err != nil {
			d.have, d.etag = 0, ""
			return upkeep.Errorf(upkeep.CodeUnreachable, "%w: %v", errDamaged, err)
		}
		return nil
	case bytes.HasPrefix(head, []byte("\x1f\x8b\x08")):
		return nil
	}
	kind := http.DetectContentType(head)
	if strings.HasPrefix(kind, "text/") {
		return upkeep.Errorf(upkeep.CodeRefused, "the vendor sent a page (%s) instead of a package", kind).
			WithHint("Most often the licence expired or is bound to another site: look at it with the vendor, then check again.")
	}
	return upkeep.Errorf(upkeep.CodeRefused, "what arrived (%s, %d bytes) is no zip or gzip package", kind, size)
}

// contentMD5 reads a Content-MD5 header: base64 by the standard, hex as some
// servers write it. Anything else is ignored, as WordPress does.
func contentMD5(header string) string {
	if raw, err := base64.StdEncoding.DecodeString(header); err == nil && len(raw) == md5.Size {
		return hex.EncodeToString(raw)
	}
	if raw, err := hex.DecodeString(header); err == nil && len(raw) == md5.Size {
		return hex.EncodeToString(raw)
	}
	return ""
}

// sums hashes what is written to it in every way that is needed.
type sums struct {
	io.Writer
	by map[string]hash.Hash
}

// newSums always computes SHA-256 and MD5, and others as published.
func newSums(published map[string]string) *sums {
	s := &sums{by: map[string]hash.Hash{"sha256": sha256.New(), "md5": md5.New()}}
	for algorithm := range published {
		switch algorithm {
		case "sha1":
			s.by[algorithm] = sha1.New()
		case "sha384":
			s.by[algorithm] = sha512.New384()
		case "sha512":
			s.by[algorithm] = sha512.New()
		}
	}
	writers := make([]io.Writer, 0, len(s.by))
	for _, h := range s.by {
		writers = append(writers, h)
	}
	s.Writer = io.MultiWriter(writers...)
	return s
}

func (s *sums) sha256() string { return s.hex("sha256") }

func (s *sums) hex(algorithm string) string { return hex.EncodeToString(s.by[algorithm].Sum(nil)) }

// check compares with the published hashes. An algorithm that we do not know
// is refused rather than passed over: it was published to be checked.
func (s *sums) check(published map[string]string) error {
	for algorithm, want := range published {
		if want == "" {
			continue
		}
		if s.by[algorithm] == nil {
			return upkeep.Errorf(upkeep.CodeRefused, "published hash %q is of an unknown kind", algorithm)
		}
		if got := s.hex(algorithm); !strings.EqualFold(got, want) {
			return upkeep.Errorf(upkeep.CodeRefused, "the package is not the published one: %s is %s, want %s", algorithm, got, want).
				WithHint("Do not install it by hand either. Check for updates again; if it stays so, tell the vendor.")
		}
	}
	return nil
}
