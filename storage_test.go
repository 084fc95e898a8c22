package upkeep_test

import (
	"testing"

	"upkeep"
)

func TestStoragesAreRead(t *testing.T) {
	for text, want := range map[string]struct {
		storage upkeep.Storage
		restic  string
	}{
		"/srv/vault/": {upkeep.Storage{Kind: upkeep.FolderStorage, Path: "/srv/vault"}, "/srv/vault"},
		"sftp://me@nas:2222/srv/vault": {upkeep.Storage{Kind: upkeep.SFTPStorage, Path: "/srv/vault",
			At: upkeep.Hop{User: "me", Address: "nas", Port: 2222}}, "sftp://me@nas:2222//srv/vault"},
		"sftp://nas/~/vault": {upkeep.Storage{Kind: upkeep.SFTPStorage, Path: "vault", At: upkeep.Hop{Address: "nas"}}, "sftp://nas/vault"},
		"s3://s3.example.org/bucket": {upkeep.Storage{Kind: upkeep.S3Storage, Endpoint: "s3.example.org", Bucket: "bucket"},
			"s3:https://s3.example.org/bucket"},
		"s3+http://localhost:7070/bucket/a/b?region=eu&style=virtual": {upkeep.Storage{Kind: upkeep.S3Storage, Endpoint: "localhost:7070",
			Bucket: "bucket", Path: "a/b", Region: "eu", Virtual: true, Plain: true}, "s3:http://localhost:7070/bucket/a/b"},
	} {
		got, err := upkeep.ParseStorage(text)
		if err != nil || *got != want.storage || got.Restic() != want.restic {
			t.Errorf("%s: %+v, %v", text, got, err)
			continue
		}
		if again, err := upkeep.ParseStorage(got.String()); err != nil || *again != want.storage {
			t.Errorf("%s, written %s, is %+v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "vault", "ftp://a/b", "sftp://nas", "sftp://nas/", "sftp://me:secret@nas/x", "sftp://-oProxyCommand=x/y",
		"s3://", "s3://host", "s3://host/B", "s3://key:secret@host/bucket", "s3://host/bucket?style=odd", "s3://host/bucket?x=y", "s3://ho st/bucket"} {
		if got, err := upkeep.ParseStorage(text); upkeep.CodeOf(err) != upkeep.CodeInvalid {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
}
