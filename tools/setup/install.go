package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"upkeep"
	"upkeep/internal/demo/packages"
)

// install brings what is missing with apt-get.
func install(ctx context.Context, say func(string)) (err error) {
	defer upkeep.Wrap(&err, "install debian packages")
	var missing []string
	for _, n := range packages.Missing() {
		say(fmt.Sprintf("needs %s: %s", n.Package, n.Why))
		missing = append(missing, n.Package)
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
	say("apt-get install " + strings.Join(missing, " ") + " (takes a few minutes)")
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

// asRoot runs a program, through sudo when we are not root. What it prints is
// shown when it fails: dpkg has a thousand lines for an installation that
// goes well.
func asRoot(ctx context.Context, name string, args ...string) error {
	if os.Geteuid() != 0 {
		if _, err := exec.LookPath("sudo"); err != nil {
			return upkeep.Errorf(upkeep.CodeUnauthorized, "%s %s needs root, and there is no sudo", name, strings.Join(args, " ")).
				WithHint("Run it as root yourself, then try again.")
		}
		name, args = "sudo", append([]string{name}, args...)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	var printed bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, &printed, &printed // sudo asks on the terminal itself
	err := cmd.Run()
	if err != nil {
		_, _ = printed.WriteTo(os.Stderr)
		return upkeep.Errorf(upkeep.CodeInternal, "%s: %w", strings.Join(append([]string{name}, args...), " "), err)
	}
	return nil
}
