// Command setup installs what building, trying and testing Upkeep needs on a
// Debian 12 that has only Go, and says what and why. What is present is left
// alone; nothing that it installs is started.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"

	"upkeep"
	"upkeep/internal/demo/packages"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "setup:", err)
		if hint := upkeep.HintOf(err); hint != "" {
			fmt.Fprintln(os.Stderr, hint)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	say := func(text string) { fmt.Println("setup:", text) }
	if err := install(ctx, say); err != nil {
		return err
	}
	err := fill(ctx, say)
	if upkeep.CodeOf(err) != upkeep.CodeUnreachable {
		return err
	}
	// Old lists name packages that their mirror has replaced since.
	say(err.Error() + "; trying again with fresh package lists")
	if err := asRoot(ctx, "apt-get", "-qq", "update"); err != nil {
		return err
	}
	return fill(ctx, say)
}

// fill fetches what the demo and the tests install.
func fill(ctx context.Context, say func(string)) error {
	cache, err := filepath.Abs(".cache")
	if err != nil {
		return err
	}
	if _, err := packages.Fill(ctx, filepath.Join(cache, "wordpress"), say); err != nil {
		return err
	}
	if _, err := packages.FillDokuWiki(ctx, filepath.Join(cache, "dokuwiki"), say); err != nil {
		return err
	}
	if _, err = packages.FillMediaWiki(ctx, filepath.Join(cache, "mediawiki"), say); err != nil {
		return err
	}
	return buildS3(ctx, filepath.Join(cache, "s3"), say)
}

// s3Server is an S3 server that is one Go program: Debian has none.
const s3Server = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"

// buildS3 builds the S3 server that the tests keep vaults on.
func buildS3(ctx context.Context, dir string, say func(string)) (err error) {
	defer upkeep.Wrap(&err, "build an S3 server")
	if _, err := os.Stat(filepath.Join(dir, "versitygw")); err == nil {
		return nil
	}
	say("building versitygw: the S3 server that the tests keep vaults on (takes a minute or two)")
	cmd := exec.CommandContext(ctx, "go", "install", "-trimpath", "-ldflags", "-s -w", s3Server)
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return upkeep.Errorf(upkeep.CodeInternal, "%w: %s", err, out)
	}
	return nil
}
