// Command setup installs what building, trying and testing Upkeep needs on a
// Debian 12 that has only Go, and says what and why. What is present is left
// alone; nothing that it installs is started.
package main

import (
	"context"
	"fmt"
	"os"
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
	_, err = packages.FillMediaWiki(ctx, filepath.Join(cache, "mediawiki"), say)
	return err
}
