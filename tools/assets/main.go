// Command assets fetches what the console's pages are made with from npm, at
// the versions and with the hashes that are listed, and packs it for embedding:
// compressed, so that a server sends it as it is. What is there already is left
// alone.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"upkeep"
)

// Where the list is, and where what it lists is put, from the root of the tree.
const (
	listFile = "internal/web/console/asset/packages.txt"
	packed   = "internal/web/console/asset/packed"
	forTests = ".cache/browser"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "assets:", err)
		if hint := upkeep.HintOf(err); hint != "" {
			fmt.Fprintln(os.Stderr, hint)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	text, err := os.ReadFile(listFile)
	if err != nil {
		return err
	}
	if done, err := os.ReadFile(stamp()); err == nil && string(done) == string(text) {
		return nil
	}
	wanted, err := parse(string(text))
	if err != nil {
		return err
	}
	for _, dir := range []string{packed, forTests} {
		if err := clear(dir); err != nil {
			return err
		}
	}
	for i := range wanted {
		fmt.Println("assets: fetching", wanted[i].name, wanted[i].version)
		if err := wanted[i].fetch(ctx); err != nil {
			return err
		}
	}
	return os.WriteFile(stamp(), text, 0o644)
}

// stamp is the list as it was when everything on it had been packed.
func stamp() string { return filepath.Join(packed, "packages.stamp") }

// clear empties a folder but for the file that git keeps in it.
func clear(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		if entry.Name() != "README" {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, entry.Name())))
		}
	}
	return errors.Join(errs...)
}
