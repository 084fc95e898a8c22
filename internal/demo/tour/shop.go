package tour

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/demo/fixtures"
	"upkeep/internal/demo/packages"
)

// What the demonstration's shop has. One plugin is sold with a licence that
// ran out, another one somebody has changed by hand.
const (
	licensed = fixtures.Notes
	modified = fixtures.LoneWolf
	culprit  = fixtures.LeadForm
	shopName = "shop"
	title    = "Atelier Lumen"
)

// cacheDir is where make setup keeps WordPress, below the source tree.
const cacheDir = ".cache/wordpress"

// shopSpec is a WordPress of the oldest release there is, with everything in
// its first version.
func shopSpec() demo.Spec {
	spec := demo.Spec{Name: shopName, Posts: 12, Comments: 3, Uploads: 6, Config: "define( 'WP_AUTO_UPDATE_CORE', false );\n"}
	for _, slug := range []string{fixtures.Guestbook, fixtures.Diary, fixtures.Crumbs, culprit, licensed, modified} {
		spec.Extensions = append(spec.Extensions, fixtures.Plugin(slug, "1.0"))
	}
	spec.Extensions = append(spec.Extensions, fixtures.Theme(fixtures.Paper, "1.0"), fixtures.Theme(fixtures.PaperChild, "1.0"))
	return spec
}

// nextReleases are what appears after the first update: good ones, and the
// one that breaks.
func nextReleases() []fixtures.Release {
	return []fixtures.Release{
		fixtures.Plugin(fixtures.Guestbook, "1.2"), fixtures.Plugin(fixtures.Diary, "1.2"), fixtures.Plugin(fixtures.Crumbs, "1.2"),
		fixtures.Plugin(culprit, "1.2").With(fixtures.Fatal),
		fixtures.Theme(fixtures.Paper, "1.2"), fixtures.Theme(fixtures.PaperChild, "1.2"),
	}
}

// equipped refuses to begin where a program is missing, naming all of them.
func (d *Tour) equipped() error {
	fetched := false
	for _, dir := range []string{cacheDir, d.ground.packages()} {
		if dir, err := filepath.Abs(dir); err == nil {
			_, err = packages.Open(dir)
			fetched = fetched || err == nil
		}
	}
	missing := strings.Join(packages.MissingToPlay(fetched), " ")
	if missing == "" {
		return nil
	}
	return upkeep.Errorf(upkeep.CodeNotFound, "%s", d.text("demo.lacks", "names", missing)).
		WithHint("%s", d.text("demo.lacks_hint", "names", missing))
}

// fetchPackages finds the WordPress releases, or fetches them.
func (d *Tour) fetchPackages(ctx context.Context) (string, *packages.Set, error) {
	dir, err := filepath.Abs(cacheDir)
	if err != nil {
		return "", nil, err
	}
	if set, err := packages.Open(dir); err == nil {
		return dir, set, nil
	}
	dir = d.ground.packages()
	if set, err := packages.Open(dir); err == nil {
		return dir, set, nil
	}
	var set *packages.Set
	err = d.work("demo.fetched", func() (pairs []any, err error) {
		set, err = packages.Fill(ctx, dir, func(string) {})
		return nil, err
	})
	return dir, set, err
}

// build starts the servers, makes the shop and publishes newer releases of
// what is on it.
func (d *Tour) build(ctx context.Context) error {
	dir, set, err := d.fetchPackages(ctx)
	if err != nil {
		return err
	}
	if d.world, err = demo.Open(d.ground.world(), demo.Options{Packages: dir, Detached: true}); err != nil {
		return err
	}
	err = d.work("demo.servers", func() ([]any, error) { return nil, d.world.Start(ctx) })
	if err != nil {
		return err
	}
	err = d.work("demo.wordpress", func() ([]any, error) {
		err := d.makeShop(ctx)
		return []any{"version", set.Cores[0].Version, "to", set.Newest().Version}, err
	})
	if err != nil {
		return err
	}
	return d.work("demo.mirror", func() ([]any, error) { return nil, d.publishFirst(ctx, set) })
}

func (d *Tour) makeShop(ctx context.Context) (err error) {
	if d.shop, err = d.world.AddWordPress(ctx, shopSpec()); err != nil {
		return err
	}
	if _, err := d.shop.PHP(ctx, "update_option('blogname', '"+title+"');"); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(d.shop.Content, "plugins", modified+".php"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString("\n// Quick fix for the shop, do not overwrite!\n")
	return errors.Join(err, file.Close())
}

// publishFirst starts the mirror: the newest core, what is on the shop, so
// that it can be compared, and a newer release of each.
func (d *Tour) publishFirst(ctx context.Context, set *packages.Set) error {
	for _, zip := range zipsOf(set) {
		if err := share(zip, filepath.Join(d.ground.mirror(), filepath.Base(zip))); err != nil {
			return err
		}
	}
	releases := d.shop.Spec.Extensions
	for _, release := range d.shop.Spec.Extensions {
		release.Version = "1.1"
		releases = append(releases, release)
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	if err := d.ground.remember(groundNote{Mirror: address}); err != nil {
		return err
	}
	if err := d.configure(address); err != nil {
		return err
	}
	d.mirror = d.ground.mirrorOf(d.world, address)
	return d.publish(ctx, releases)
}

func zipsOf(set *packages.Set) []string {
	zips := []string{set.Cores[0].Zip, set.Newest().Zip}
	for _, extension := range set.Extensions {
		zips = append(zips, extension.Zip)
	}
	return zips
}

// publish offers more releases; the mirror finds them when it starts.
func (d *Tour) publish(ctx context.Context, releases []fixtures.Release) error {
	if err := d.mirror.Stop(ctx); err != nil {
		return err
	}
	for _, release := range releases {
		if _, err := release.WriteZip(d.ground.mirror()); err != nil {
			return err
		}
	}
	return d.mirror.Start(ctx)
}

// configure points the application at the mirror in place of wordpress.org.
func (d *Tour) configure(address string) error {
	config := map[string]any{
		"wordpress": map[string]string{"api": "http://" + address, "downloads": "http://" + address},
		"trusted":   []string{address},
		"feed_age":  "0s", // what is published is seen at once
	}
	text, err := json.MarshalIndent(config, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(d.ground.State, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(d.ground.State, "config.json"), text, 0o600)
}

// share links a file where the mirror's account can reach it, or copies it
// when that is on another filesystem.
func share(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// freeAddress finds an address of this machine that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// visit is what a visitor of the home page gets.
type visit struct {
	Status int
	Title  string
}

var titleTag = regexp.MustCompile(`(?s)<title>(.*?)</title>`)

// maxPage bounds what is read of a page to find its title.
const maxPage = 1 << 20

func visitShop(ctx context.Context, url string) (v visit, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return v, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return v, upkeep.Errorf(upkeep.CodeUnreachable, "%w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxPage))
	v.Status = answer.StatusCode
	if found := titleTag.FindSubmatch(text); found != nil {
		v.Title = string(found[1])
	}
	return v, err
}
