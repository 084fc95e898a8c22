package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"

	"upkeep"
)

// explained gives an error of S3 its code, and whoever reads it the next step.
func (b *Bucket) explained(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	said, ok := errors.AsType[minio.ErrorResponse](err)
	if !ok {
		return transportError(err)
	}
	switch said.Code {
	case minio.NoSuchKey, "NotFound":
		return fs.ErrNotExist
	case minio.PreconditionFailed:
		return fs.ErrExist
	case minio.NoSuchBucket, minio.InvalidBucketName:
		return upkeep.Errorf(upkeep.CodeInvalid, "there is no bucket %s: %w", b.name, err).
			WithHint("Create the bucket, or correct the address: upkeep vault use.")
	case minio.AccessDenied, "InvalidAccessKeyId", minio.SignatureDoesNotMatch, "AuthorizationHeaderMalformed", "InvalidToken", "ExpiredToken", "XAdminUserNotFound":
		return upkeep.Errorf(upkeep.CodeUnauthorized, "the storage refuses our keys: %w", err).
			WithHint("Are the keys right, and may they read, write, list and delete in bucket %s? Give others with upkeep vault use. Does the address need ?region=?", b.name)
	case "RequestTimeTooSkewed", "AccessTimeSkewed":
		return upkeep.Errorf(upkeep.CodeConflict, "this machine's clock and the storage's differ too much: %w", err).
			WithHint("Set the clock: timedatectl set-ntp true.")
	case "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage":
		return upkeep.Errorf(upkeep.CodeNoSpace, "vault: %w", err).
			WithHint("Free space where the vault is kept, or prune it.")
	}
	return byStatus(said.StatusCode, err)
}

func byStatus(status int, err error) error {
	switch {
	case status == http.StatusPreconditionFailed:
		return fs.ErrExist
	case status == http.StatusForbidden, status == http.StatusUnauthorized:
		return upkeep.Errorf(upkeep.CodeUnauthorized, "the storage refuses our keys: %w", err).
			WithHint("Give others with upkeep vault use.")
	case status == http.StatusInsufficientStorage:
		return upkeep.Errorf(upkeep.CodeNoSpace, "vault: %w", err).
			WithHint("Free space where the vault is kept, or prune it.")
	case status >= 500 && status != http.StatusNotImplemented, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return unreachable(err)
	}
	return err
}

// transportError is of what is below HTTP.
func transportError(err error) error {
	_, name := errors.AsType[x509.HostnameError](err)
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	_, other := errors.AsType[tls.RecordHeaderError](err)
	other = other || strings.Contains(err.Error(), "HTTP response to HTTPS client") // it has no name
	if name || unknown || invalid || other {
		return upkeep.Errorf(upkeep.CodeRefused, "the storage is not who it should be: %w", err).
			WithHint("Is its certificate valid for the name in the address? One of your own belongs into /usr/local/share/ca-certificates. Without TLS the address begins with s3+http://.")
	}
	return unreachable(err)
}

func unreachable(err error) error {
	return upkeep.Errorf(upkeep.CodeUnreachable, "the storage does not answer: %w", err).
		WithHint("Is it up, and the address right? upkeep vault check tells when it is again.")
}
