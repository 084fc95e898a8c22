// Package s3 keeps a repository's files as objects in a bucket of S3, Amazon's
// or anybody's who speaks the same.
package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/pace"
)

// Keys are those of an account at S3.
type Keys struct {
	Access string
	Secret string
}

// Bucket is a Storage in a bucket, whose names begin with a prefix. An object
// is there whole or not at all.
type Bucket struct {
	core   minio.Core
	name   string
	prefix string
}

var _ vault.Storage = (*Bucket)(nil)

// Limits in time of what a server may keep us waiting for.
const (
	dialTime = 15 * time.Second
	idleTime = 30 * time.Second // without a byte either way, during a request
)

// Open returns the storage at an address. It connects to nothing yet.
func Open(at *upkeep.Storage, keys Keys, speed *pace.Pace) (_ *Bucket, err error) {
	defer upkeep.Wrap(&err, "storage %s", at)
	lookup := minio.BucketLookupPath
	if at.Virtual {
		lookup = minio.BucketLookupDNS
	}
	core, err := minio.NewCore(at.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(keys.Access, keys.Secret, ""), Secure: !at.Plain, Region: at.Region,
		BucketLookup: lookup, Transport: transport(speed), MaxRetries: 1,
	})
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "%w", err)
	}
	return &Bucket{core: *core, name: at.Bucket, prefix: at.Path}, nil
}

func transport(speed *pace.Pace) *http.Transport {
	dialer := net.Dialer{Timeout: dialTime}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return speed.Conn(&impatient{conn}), nil
		},
		TLSHandshakeTimeout: dialTime, IdleConnTimeout: idleTime, MaxIdleConnsPerHost: 16,
		DisableCompression: true, ForceAttemptHTTP2: false,
	}
}

// impatient is a connection that ends when nothing goes either way: a server
// that is gone without a word must not keep a site frozen.
type impatient struct{ net.Conn }

func (c *impatient) Read(b []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(idleTime)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c *impatient) Write(b []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(idleTime)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func (b *Bucket) key(name string) string { return path.Join(b.prefix, name) }

// Save puts an object in one request, whose hash the server compares.
func (b *Bucket) Save(ctx context.Context, name string, data []byte) error {
	sum := sha256.Sum256(data)
	options := minio.PutObjectOptions{ContentType: "application/octet-stream"}
	options.SetMatchETagExcept("*")
	put := func() error {
		_, err := b.core.PutObject(ctx, b.name, b.key(name), bytes.NewReader(data), int64(len(data)), "", hex.EncodeToString(sum[:]), options)
		return b.explained(ctx, err)
	}
	err := put()
	if minio.ToErrorResponse(err).Code != minio.NotImplemented {
		return err
	}
	// The server knows no conditions: it is asked before.
	if _, err := b.Stat(ctx, name); err == nil {
		return fs.ErrExist
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	options = minio.PutObjectOptions{ContentType: options.ContentType}
	return put()
}

// Load gets part of an object, or all that follows offset when length is 0.
func (b *Bucket) Load(ctx context.Context, name string, offset int64, length int) (data []byte, err error) {
	options := minio.GetObjectOptions{}
	switch {
	case length > 0:
		err = options.SetRange(offset, offset+int64(length)-1)
	case offset > 0:
		err = options.SetRange(offset, 0)
	}
	if err != nil {
		return nil, err
	}
	body, info, _, err := b.core.GetObject(ctx, b.name, b.key(name), options)
	if minio.ToErrorResponse(err).Code == minio.InvalidRange {
		if length == 0 {
			return nil, nil
		}
		return nil, io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, b.explained(ctx, err)
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	if length == 0 {
		length = int(info.Size)
	}
	if info.Size < int64(length) {
		return nil, io.ErrUnexpectedEOF
	}
	data = make([]byte, length)
	if _, err := io.ReadFull(body, data); err != nil {
		return nil, unreachable(err) // the object is long enough: the connection was not
	}
	return data, nil
}

// List calls fn for every object whose name is below a folder.
func (b *Bucket) List(ctx context.Context, folder string, fn func(vault.FileInfo) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing where fn ends it
	prefix := b.key(folder) + "/"
	for object := range b.core.Client.ListObjects(ctx, b.name, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if object.Err != nil {
			return b.explained(ctx, object.Err)
		}
		if strings.HasSuffix(object.Key, "/") { // a folder, as some programs leave them
			continue
		}
		name := path.Join(folder, strings.TrimPrefix(object.Key, prefix))
		if err := fn(vault.FileInfo{Name: name, Size: object.Size, Modified: object.LastModified}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Stat describes one object.
func (b *Bucket) Stat(ctx context.Context, name string) (vault.FileInfo, error) {
	info, err := b.core.StatObject(ctx, b.name, b.key(name), minio.StatObjectOptions{})
	if err != nil {
		return vault.FileInfo{}, b.explained(ctx, err)
	}
	return vault.FileInfo{Name: name, Size: info.Size, Modified: info.LastModified}, nil
}

// Remove deletes an object.
func (b *Bucket) Remove(ctx context.Context, name string) error {
	err := b.explained(ctx, b.core.RemoveObject(ctx, b.name, b.key(name), minio.RemoveObjectOptions{}))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
