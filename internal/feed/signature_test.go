package feed_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"

	"upkeep"
	"upkeep/internal/feed"
)

func signer(t *testing.T, name string) *openpgp.Entity {
	t.Helper()
	entity, err := openpgp.NewEntity(name, "", name+"@example.org", nil)
	if err != nil {
		t.Fatal(err)
	}
	return entity
}

func signature(t *testing.T, by *openpgp.Entity, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := openpgp.DetachSign(&out, by, bytes.NewReader(content), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// keysOf writes a file of public keys, as text or not.
func keysOf(t *testing.T, text bool, of ...*openpgp.Entity) *feed.Keys {
	t.Helper()
	var out bytes.Buffer
	for _, entity := range of {
		if err := entity.Serialize(&out); err != nil {
			t.Fatal(err)
		}
	}
	content := out.Bytes()
	if text {
		var armored bytes.Buffer
		w, err := armor.Encode(&armored, openpgp.PublicKeyType, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		content = armored.Bytes()
	}
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := feed.ReadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// What a publisher signs is taken with a signature of its own alone, whether it is
// fetched now or was before.
func TestSignaturesAreChecked(t *testing.T) {
	content := archive(t, 1000)
	release, other := signer(t, "release"), signer(t, "other")
	var sig []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/a.zip":
			_, _ = w.Write(content)
		case sig != nil:
			_, _ = w.Write(sig)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	for name, c := range map[string]struct {
		sig  []byte
		keys *feed.Keys
		code upkeep.Code // "" when it is taken
	}{
		"signed":              {signature(t, release, content), keysOf(t, false, other, release), ""},
		"keys as text":        {signature(t, release, content), keysOf(t, true, release), ""},
		"of another package":  {signature(t, release, content[1:]), keysOf(t, false, release), upkeep.CodeRefused},
		"by somebody else":    {signature(t, other, content), keysOf(t, false, release), upkeep.CodeRefused},
		"a page":              {[]byte("<html>Sign in</html>"), keysOf(t, false, release), upkeep.CodeRefused},
		"nothing":             {nil, keysOf(t, false, release), upkeep.CodeRefused},
		"nobody knows a key ": {nil, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			sig = c.sig
			store := open(t, t.TempDir(), feed.Options{Trusted: []string{server.Listener.Addr().String()}}, 0)
			if c.keys != nil {
				store.Trust("wordpress.org", c.keys)
			}
			asked := packageAt(server.URL + "/a.zip")
			asked.Signature = server.URL + "/a.zip.sig"
			for range 2 {
				if _, err := store.Fetch(t.Context(), asked, nil); err == nil && c.code != "" || err != nil && upkeep.CodeOf(err) != c.code {
					t.Errorf("%v", err)
				}
			}
		})
	}
}

func TestAFileWithoutKeysIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("no keys\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, file + "-none"} {
		if _, err := feed.ReadKeys(name); upkeep.CodeOf(err) != upkeep.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
