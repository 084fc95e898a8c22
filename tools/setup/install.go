package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"upkeep"
)

// need is something that must be there, and the Debian package that brings it.
type need struct {
	program string // looked for in PATH and where Debian keeps servers; "" for a file
	file    string // a file that the package brings
	pkg     string
	why     string
}

func needs() []need {
	return []need{
		{program: "mariadbd", pkg: "mariadb-server", why: "the database of the demo's sites"},
		{program: "mariadb-dump", pkg: "mariadb-client", why: "the referee of our own dumps"},
		{program: "php", pkg: "php-cli", why: "runs the sites' own upgrade code"},
		{file: "/usr/sbin/php-fpm*", pkg: "php-fpm", why: "runs the demo's sites"},
		{file: "/etc/php/*/cli/conf.d/*mysqli.ini", pkg: "php-mysql", why: "WordPress talks to its database through it"},
		{file: "/etc/php/*/cli/conf.d/*-xml.ini", pkg: "php-xml", why: "WordPress feeds"},
		{file: "/etc/php/*/cli/conf.d/*mbstring.ini", pkg: "php-mbstring", why: "WordPress text"},
		{file: "/etc/php/*/cli/conf.d/*curl.ini", pkg: "php-curl", why: "WordPress calls itself and its feeds"},
		{file: "/etc/php/*/cli/conf.d/*zip.ini", pkg: "php-zip", why: "WordPress unpacks updates with it"},
		{file: "/etc/php/*/cli/conf.d/*gd.ini", pkg: "php-gd", why: "WordPress scales images with it"},
		{program: "nginx", pkg: "nginx-light", why: "serves the demo's sites"},
		{program: "restic", pkg: "restic", why: "the referee of our backups"},
		{program: "npm", pkg: "npm", why: "fetches WordPress releases newer than Debian's"},
		{program: "zstd", pkg: "zstd", why: "the careful script that make bench compares with"},
		{program: "curl", pkg: "curl", why: "the same"},
		{program: "dpkg-deb", pkg: "dpkg", why: "unpacks Debian's WordPress"},
	}
}

func (n need) met() bool {
	if n.file != "" {
		found, err := filepath.Glob(n.file)
		return err == nil && len(found) > 0
	}
	for _, dir := range []string{"", "/usr/sbin/", "/sbin/"} {
		if _, err := exec.LookPath(dir + n.program); err == nil {
			return true
		}
	}
	return false
}

// install brings what is missing with apt-get.
func install(ctx context.Context, say func(string)) (err error) {
	defer upkeep.Wrap(&err, "install debian packages")
	var missing []string
	for _, n := range needs() {
		if !n.met() {
			say(fmt.Sprintf("needs %s: %s", n.pkg, n.why))
			missing = append(missing, n.pkg)
		}
	}
	lists, err := filepath.Glob("/var/lib/apt/lists/*_Packages*")
	if err != nil {
		return err
	}
	if len(missing) == 0 && len(lists) > 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return upkeep.Errorf(upkeep.CodeNotFound, "no apt-get here").
			WithHint("On systems other than Debian install by hand: %s", strings.Join(missing, " "))
	}
	if err := asRoot(ctx, "apt-get", "-qq", "update"); err != nil {
		return err
	}
	if len(missing) == 0 {
		return nil
	}
	undo, err := startNothing(ctx)
	if err != nil {
		return err
	}
	say("apt-get install " + strings.Join(missing, " "))
	args := append([]string{"DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "install", "-y", "--no-install-recommends"}, missing...)
	return errors.Join(asRoot(ctx, "env", args...), undo())
}

// policy is Debian's place to forbid that a package starts its server.
const policy = "/usr/sbin/policy-rc.d"

// startNothing keeps packages from starting their servers while they are
// installed. An existing policy is the machine's own and stays.
func startNothing(ctx context.Context) (undo func() error, err error) {
	if _, err := os.Lstat(policy); err == nil {
		return func() error { return nil }, nil
	}
	if err := asRoot(ctx, "sh", "-c", "printf '#!/bin/sh\\nexit 101\\n' > "+policy+" && chmod 755 "+policy); err != nil {
		return nil, err
	}
	return func() error { return asRoot(context.WithoutCancel(ctx), "rm", "-f", policy) }, nil
}

// asRoot runs a program, through sudo when we are not root.
func asRoot(ctx context.Context, name string, args ...string) error {
	if os.Geteuid() != 0 {
		if _, err := exec.LookPath("sudo"); err != nil {
			return upkeep.Errorf(upkeep.CodeUnauthorized, "%s %s needs root, and there is no sudo", name, strings.Join(args, " ")).
				WithHint("Run it as root yourself, then try again.")
		}
		name, args = "sudo", append([]string{name}, args...)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}
