package portal

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Mirror answers as joomla.org and as the vendors: it signs what releases of
// core it has, and lists the rest. It is safe for concurrent use.
type Mirror struct {
	mu       sync.Mutex
	key      ed25519.PrivateKey
	cores    []core
	original map[string]string // version → file
	releases []Release
	paid     string // what packages of extensions want in their address
	version  int64
	expires  time.Time
}

type core struct {
	version, file, platform string
	target                  *metadata.TargetFiles
}

// NewMirror returns a mirror that offers nothing, whose signatures hold a day.
func NewMirror() (*Mirror, error) {
	_, key, err := ed25519.GenerateKey(nil)
	return &Mirror{key: key, original: map[string]string{}, version: 1, expires: time.Now().Add(24 * time.Hour)}, err
}

// AddCore offers the package of a Joomla for those that an expression matches.
func (m *Mirror) AddCore(version, file, platform string) error {
	c := core{version: version, file: file, platform: platform}
	var err error
	if c.target, err = targetOf(&c); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cores = append(m.cores, c)
	m.version++
	return nil
}

// AddOriginal publishes the package of a version, without offering it.
func (m *Mirror) AddOriginal(version, file string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.original[version] = file
}

// Add offers a release of an extension.
func (m *Mirror) Add(release Release) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.releases = append(m.releases, release)
}

// Charge has packages of extensions given out only to who knows a key, which is
// asked for as dlid. Others get a page that says so.
func (m *Mirror) Charge(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.paid = key
}

// Root is the SHA-256 of the first root.
func (m *Mirror) Root() (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	files, err := m.sign()
	sum := sha256.Sum256(files["1.root.json"])
	return hex.EncodeToString(sum[:]), err
}

// sign makes the repository anew, the same each time.
func (m *Mirror) sign() (map[string][]byte, error) {
	key, err := metadata.KeyFromPublicKey(m.key.Public())
	if err != nil {
		return nil, err
	}
	signer, err := signature.LoadSigner(m.key, crypto.Hash(0))
	if err != nil {
		return nil, err
	}
	root := metadata.Root(m.expires)
	for _, role := range []string{metadata.ROOT, metadata.TIMESTAMP, metadata.SNAPSHOT, metadata.TARGETS} {
		if err := root.Signed.AddKey(key, role); err != nil {
			return nil, err
		}
	}
	targets := metadata.Targets(m.expires)
	for _, c := range m.cores {
		targets.Signed.Targets[path.Base(c.file)] = c.target
	}
	snapshot, timestamp := metadata.Snapshot(m.expires), metadata.Timestamp(m.expires)
	targets.Signed.Version, snapshot.Signed.Version, timestamp.Signed.Version = m.version, m.version, m.version
	snapshot.Signed.Meta["targets.json"] = metadata.MetaFile(m.version)
	timestamp.Signed.Meta["snapshot.json"] = metadata.MetaFile(m.version)
	files := map[string][]byte{}
	keep := func(name string, body []byte, err error) error {
		files[name] = body
		return err
	}
	for _, role := range []func() error{
		func() error { _, err := root.Sign(signer); return err },
		func() error { _, err := targets.Sign(signer); return err },
		func() error { _, err := snapshot.Sign(signer); return err },
		func() error { _, err := timestamp.Sign(signer); return err },
		func() error { body, err := root.ToBytes(false); return keep("1.root.json", body, err) },
		func() error {
			body, err := targets.ToBytes(false)
			return keep(fmt.Sprintf("%d.targets.json", m.version), body, err)
		},
		func() error {
			body, err := snapshot.ToBytes(false)
			return keep(fmt.Sprintf("%d.snapshot.json", m.version), body, err)
		},
		func() error { body, err := timestamp.ToBytes(false); return keep("timestamp.json", body, err) },
	} {
		if err := role(); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func targetOf(c *core) (*metadata.TargetFiles, error) {
	f, err := os.Open(c.file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum := sha512.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		return nil, err
	}
	custom, err := json.Marshal(map[string]any{
		"element": "joomla", "type": "file", "client": "site", "version": c.version, "channel": strings.Split(c.version, ".")[0] + ".x", "stability": "Stable",
		"targetplatform": map[string]string{"name": "joomla", "version": c.platform}, "php_minimum": "8.1.0",
		"supported_databases": map[string]string{"mariadb": "10.4", "mysql": "8.0.13", "postgresql": "12.0"},
		"downloads":           []map[string]string{{"url": "https://update.joomla.org/cores/" + path.Base(c.file), "format": "zip", "type": "full"}},
	})
	raw := json.RawMessage(custom)
	return &metadata.TargetFiles{Length: size, Hashes: metadata.Hashes{"sha512": sum.Sum(nil)}, Custom: &raw}, err
}

// ServeHTTP answers one request.
func (m *Mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := path.Base(r.URL.Path)
	switch {
	case strings.HasPrefix(r.URL.Path, "/cms/"):
		files, err := m.sign()
		if err != nil || files[name] == nil {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(files[name]) // whoever hung up needs no answer
	case r.URL.Path == "/core/list.xml", r.URL.Path == "/core/extension.xml":
		m.lists(w, r)
	case r.URL.Path == "/core/sts/list_sts.xml":
		_, _ = io.WriteString(w, "<extensionset/>")
	case strings.HasPrefix(r.URL.Path, "/cores/"):
		at := slices.IndexFunc(m.cores, func(c core) bool { return path.Base(c.file) == name })
		m.file(w, r, at >= 0, func() string { return m.cores[at].file })
	case strings.HasPrefix(r.URL.Path, "/originals/"):
		version := path.Base(path.Dir(r.URL.Path))
		m.file(w, r, m.original[version] != "", func() string { return m.original[version] })
	case strings.HasPrefix(r.URL.Path, "/extensions/"):
		m.feed(w, r, strings.TrimSuffix(name, ".xml"))
	case strings.HasPrefix(r.URL.Path, "/packages/"):
		m.extension(w, r, strings.TrimSuffix(name, ".zip"))
	default:
		http.NotFound(w, r)
	}
}

// lists answers as what Joomla up to 5.0 asks: which releases there are, and
// what they are.
func (m *Mirror) lists(w http.ResponseWriter, r *http.Request) {
	entries, updates := "", ""
	for _, c := range m.cores {
		entries += fmt.Sprintf(`<extension name="Joomla" element="joomla" type="file" version=%q targetplatformversion=%q detailsurl="https://update.joomla.org/core/extension.xml"/>`, c.version, c.platform)
		updates += fmt.Sprintf(`<update><name>Joomla</name><element>joomla</element><type>file</type><version>%s</version>
<downloads><downloadurl type="full" format="zip">http://%s/cores/%s</downloadurl></downloads><tags><tag>stable</tag></tags>
<sha512>%x</sha512><targetplatform name="joomla" version=%q/><php_minimum>5.3.10</php_minimum></update>`,
			c.version, r.Host, path.Base(c.file), []byte(c.target.Hashes["sha512"]), c.platform)
	}
	if path.Base(r.URL.Path) == "list.xml" {
		_, _ = io.WriteString(w, "<extensionset>"+entries+"</extensionset>")
		return
	}
	_, _ = io.WriteString(w, "<updates>"+updates+"</updates>")
}

func (m *Mirror) file(w http.ResponseWriter, r *http.Request, known bool, name func() string) {
	if !known {
		http.NotFound(w, r)
		return
	}
	http.ServeFile(w, r, name())
}

func (m *Mirror) feed(w http.ResponseWriter, r *http.Request, element string) {
	_, _ = io.WriteString(w, "<?xml version=\"1.0\"?>\n<updates>\n")
	for _, release := range m.releases {
		kind, name, folder := release.Feed()
		if release.Element != element {
			continue
		}
		_, _ = fmt.Fprintf(w, `<update><name>%s</name><element>%s</element><type>%s</type><folder>%s</folder><client>site</client><version>%s</version>
<downloads><downloadurl type="full" format="zip">http://%s/packages/%s-%s.zip</downloadurl></downloads><tags><tag>stable</tag></tags>
<targetplatform name="joomla" version="[3456].*"/><php_minimum>7.4</php_minimum></update>
`, release.Element, name, kind, folder, release.Version, r.Host, release.Element, release.Version)
	}
	_, _ = io.WriteString(w, "</updates>\n")
}

func (m *Mirror) extension(w http.ResponseWriter, r *http.Request, name string) {
	for _, release := range m.releases {
		if release.Element+"-"+release.Version != name {
			continue
		}
		if m.paid != "" && r.URL.Query().Get("dlid") != m.paid {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<html>Please log in</html>") // whoever hung up needs no answer
			return
		}
		body, err := release.Package()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(body) // whoever hung up needs no answer
		return
	}
	http.NotFound(w, r)
}
