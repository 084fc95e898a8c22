package joomla_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// publish signs a repository that offers one version, with a number for each
// of its files.
func (s *stage) publish(key ed25519.PrivateKey, number int64, version string) {
	s.t.Helper()
	must := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	public, err := metadata.KeyFromPublicKey(key.Public())
	must(err)
	signer, err := signature.LoadSigner(key, crypto.Hash(0))
	must(err)
	expires := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	root := metadata.Root(expires)
	for _, role := range []string{metadata.ROOT, metadata.TIMESTAMP, metadata.SNAPSHOT, metadata.TARGETS} {
		must(root.Signed.AddKey(public, role))
	}
	custom := json.RawMessage(`{"element":"joomla","type":"file","version":"` + version + `","stability":"Stable","targetplatform":{"name":"joomla","version":"5"},"downloads":[{"url":"https://x.example/x.zip"}]}`)
	targets, snapshot, timestamp := metadata.Targets(expires), metadata.Snapshot(expires), metadata.Timestamp(expires)
	targets.Signed.Targets["x.zip"] = &metadata.TargetFiles{Length: 1, Hashes: metadata.Hashes{"sha512": []byte("x")}, Custom: &custom}
	targets.Signed.Version, snapshot.Signed.Version, timestamp.Signed.Version = number, number, number
	snapshot.Signed.Meta["targets.json"], timestamp.Signed.Meta["snapshot.json"] = metadata.MetaFile(number), metadata.MetaFile(number)
	keep := func(name string, body []byte, err error) {
		must(err)
		s.answers["/cms/"+name] = string(body)
	}
	for _, sign := range []func(signature.Signer) (*metadata.Signature, error){root.Sign, targets.Sign, snapshot.Sign, timestamp.Sign} {
		_, err := sign(signer)
		must(err)
	}
	body, err := root.ToBytes(false)
	keep("1.root.json", body, err)
	sum := sha256.Sum256(body)
	s.root = hex.EncodeToString(sum[:])
	body, err = targets.ToBytes(false)
	keep(fmt.Sprintf("%d.targets.json", number), body, err)
	body, err = snapshot.ToBytes(false)
	keep(fmt.Sprintf("%d.snapshot.json", number), body, err)
	body, err = timestamp.ToBytes(false)
	keep("timestamp.json", body, err)
}

// A signed repository that is older than the one seen before is refused: the
// newer one goes on being answered while its signatures hold.
func TestRollback(t *testing.T) {
	s := newStage(t)
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	offered := func(want string, problem bool) {
		t.Helper()
		answer, err := s.publisher().Check(t.Context(), site("5.2.5"))
		if want == "" {
			if err == nil {
				t.Errorf("offered %v", coreVersions(answer))
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := coreVersions(answer); len(got) != 1 || got[want] == "" || answer.Stale != problem {
			t.Errorf("offered %v, stale %t, problems %v", got, answer.Stale, answer.Problems)
		}
	}
	s.publish(key, 2, "5.4.1")
	offered("5.4.1", false)
	s.publish(key, 3, "5.4.2")
	offered("5.4.2", false)
	offered("5.4.2", false) // the same again is no rollback
	s.publish(key, 2, "5.4.1")
	offered("5.4.2", true)
	_, other, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	known := s.root
	s.publish(other, 4, "6.6.6")
	s.root = known
	offered("5.4.2", true)
	s.now = s.now.Add(30 * 24 * time.Hour) // expired: nothing is better than what may be withheld
	offered("", true)
}
