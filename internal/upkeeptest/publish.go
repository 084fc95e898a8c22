package upkeeptest

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"upkeep"
	"upkeep/internal/demo/fixtures"
	"upkeep/internal/demo/mirror"
)

// Publisher is a wordpress.org of the test's own.
type Publisher struct {
	*mirror.Mirror
	URL string // what the feed is told
	dir string
}

// Publish serves releases as wordpress.org would, and nothing else. compare
// is WordPress's order of versions.
func Publish(t testing.TB, compare func(a, b upkeep.Version) int, releases ...fixtures.Release) *Publisher {
	t.Helper()
	m, err := mirror.New(mirror.Options{Compare: compare})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	p := &Publisher{Mirror: m, URL: server.URL, dir: t.TempDir()}
	for _, release := range releases {
		p.Offer(t, release)
	}
	return p
}

// Offer adds a release. One whose package is faulty is announced as the good
// one, and what arrives is the faulty one: that is how it happens.
func (p *Publisher) Offer(t testing.TB, release fixtures.Release) {
	t.Helper()
	announced := release
	if slices.Contains(fixtures.PackageFaults(), release.Fault) {
		announced = release.With(fixtures.None)
	}
	file, err := announced.WriteZip(filepath.Join(p.dir, string(release.Kind)))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Add(file); err != nil {
		t.Fatal(err)
	}
	if announced == release {
		return
	}
	faulty, err := release.Zip()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, faulty, 0o644); err != nil {
		t.Fatal(err)
	}
}

// OfferFile adds the zip of a real release, such as a core.
func (p *Publisher) OfferFile(t testing.TB, file string) {
	t.Helper()
	if err := p.Add(file); err != nil {
		t.Fatal(err)
	}
}
