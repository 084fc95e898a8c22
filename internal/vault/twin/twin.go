// Package twin brings a repository to another storage, and proves that it is
// the same there.
package twin

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"path"

	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/vault"
)

// Copy brings a repository to another storage, file by file, and reads each
// back there. What is there already it only reads: it may be ended and begun
// again at any instant. It is no repository before Finish.
type Copy struct {
	From, To vault.Storage
	Progress func(done, total int64) // is told how many bytes of how many are there

	proven map[string]int64 // names of files that were read back, and their sizes
}

// The files of a repository. What refers to something comes after it; locks
// stay where they are.
const (
	data      = "data"
	index     = "index"
	keys      = "keys"
	snapshots = "snapshots"
	config    = "config"
)

// Run copies what the repository has now. Whoever calls it holds a lock of it.
func (c *Copy) Run(ctx context.Context) (err error) {
	defer upkeep.Wrap(&err, "copy the vault")
	if c.proven == nil {
		c.proven = map[string]int64{}
	}
	var files []vault.FileInfo
	total, done := int64(0), int64(0)
	for _, folder := range []string{keys, data, index, snapshots} {
		err := c.From.List(ctx, folder, func(info vault.FileInfo) error {
			files = append(files, info)
			total += info.Size
			return nil
		})
		if err != nil {
			return err
		}
	}
	for len(files) > 0 {
		folder := path.Dir(files[0].Name)
		group, groupCtx := errgroup.WithContext(ctx)
		group.SetLimit(3)
		var sizes int64
		for len(files) > 0 && (path.Dir(files[0].Name) == folder || isPack(folder) && isPack(path.Dir(files[0].Name))) && sizes < 256<<20 {
			info := files[0]
			files = files[1:]
			sizes += info.Size
			if size, ok := c.proven[info.Name]; ok && size == info.Size {
				continue
			}
			c.proven[info.Name] = info.Size
			group.Go(func() error { return c.bring(groupCtx, info.Name) })
		}
		if err := group.Wait(); err != nil {
			c.proven = nil // some of them were not
			return err
		}
		done += sizes
		c.Progress(done, total)
	}
	return nil
}

func isPack(folder string) bool { return path.Dir(folder) == data }

// Finish copies what has come since Run, drops at the target what the
// repository has not any more, and makes it a repository. Whoever calls it
// holds the repository alone.
func (c *Copy) Finish(ctx context.Context) (err error) {
	if err := c.Run(ctx); err != nil {
		return err
	}
	defer upkeep.Wrap(&err, "copy the vault")
	for _, folder := range []string{snapshots, index} {
		var gone []string
		err := c.To.List(ctx, folder, func(info vault.FileInfo) error {
			if _, ok := c.proven[info.Name]; !ok {
				gone = append(gone, info.Name)
			}
			return nil
		})
		for _, name := range gone {
			err = errors.Join(err, c.To.Remove(ctx, name))
		}
		if err != nil {
			return err
		}
	}
	return c.bring(ctx, config)
}

// bring copies one file, unless it is there, and compares it with its name.
func (c *Copy) bring(ctx context.Context, name string) error {
	there, err := c.To.Load(ctx, name, 0, 0)
	if err == nil && (name == config || named(name, there)) {
		return c.same(ctx, name, there)
	}
	if err == nil {
		return upkeep.Errorf(upkeep.CodeDamaged, "%s at the new place is not what its name says", name).
			WithHint("Empty the new place, or choose another.")
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, err := c.From.Load(ctx, name, 0, 0)
	if err != nil {
		return err
	}
	if name != config && !named(name, text) {
		return upkeep.Errorf(upkeep.CodeDamaged, "%s is not what its name says", name).
			WithHint("Make a new full backup now, then run restic check --read-data on the vault and follow its repair instructions.")
	}
	if err := c.To.Save(ctx, name, text); err != nil {
		return err
	}
	if there, err = c.To.Load(ctx, name, 0, 0); err != nil {
		return err
	}
	if string(there) != string(text) {
		return upkeep.Errorf(upkeep.CodeDamaged, "%s does not read back as it was written", name)
	}
	return nil
}

// same compares the one file whose name says nothing of what is in it.
func (c *Copy) same(ctx context.Context, name string, there []byte) error {
	if name != config {
		return nil
	}
	text, err := c.From.Load(ctx, name, 0, 0)
	if err != nil {
		return err
	}
	if string(text) != string(there) {
		return upkeep.Errorf(upkeep.CodeConflict, "there is another repository already").
			WithHint("Choose another place.")
	}
	return nil
}

// named reports whether a file's name is the hash of what is in it.
func named(name string, text []byte) bool {
	return path.Base(name) == vault.ID(sha256.Sum256(text)).String()
}
