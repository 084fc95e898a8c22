// Package sftp keeps a repository's files in a folder of another machine.
package sftp

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/pkg/sftp"

	"upkeep"
	"upkeep/internal/vault"
)

// Folder is a Storage in a folder behind a connection, which is made when it
// is needed and made anew when it broke. The folder is made with the first
// file, and nobody but the login may enter it.
type Folder struct {
	path string
	line line
}

var (
	_ vault.Storage = (*Folder)(nil)
	_ vault.Tidier  = (*Folder)(nil)
)

// Open returns the storage in a folder of the machine that dial reaches. It
// connects to nothing yet.
func Open(folder string, dial Dial) *Folder {
	return &Folder{path: folder, line: line{dial: dial, turn: make(chan struct{}, 1)}}
}

func (f *Folder) at(name string) string { return path.Join(f.path, name) }

// Save writes the file under a temporary name, has the server sync it, gives
// it its name and has the folder synced, where the server can do that.
func (f *Folder) Save(ctx context.Context, name string, data []byte) error {
	return f.line.do(ctx, func(client *sftp.Client) error {
		target := f.at(name)
		folder := path.Dir(target)
		temp, err := writePart(client, folder, data)
		if errors.Is(err, fs.ErrNotExist) {
			if err = makeFolder(client, folder); err == nil {
				temp, err = writePart(client, folder, data)
			}
		}
		if err != nil {
			return err
		}
		// As the protocol has it, rename never replaces a file.
		if err := client.Rename(temp, target); err != nil {
			if _, there := client.Stat(target); there == nil {
				err = fs.ErrExist
			}
			return errors.Join(err, client.Remove(temp))
		}
		return syncFolder(client, folder)
	})
}

// writePart writes data to a new temporary file in folder.
func writePart(client *sftp.Client, folder string, data []byte) (name string, err error) {
	name = path.Join(folder, vault.PartPrefix+rand.Text())
	file, err := client.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return "", err
	}
	_, err = file.ReadFrom(bytes.NewReader(data))
	if err == nil {
		err = synced(file)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(noSpace(client, folder, err), client.Remove(name))
	}
	return name, nil
}

// synced has the server bring a file to its disk; one that cannot be asked to
// does so when it likes.
func synced(file *sftp.File) error {
	err := file.Sync()
	if status, ok := errors.AsType[*sftp.StatusError](err); ok && status.FxCode() == sftp.ErrSSHFxOpUnsupported {
		return nil
	}
	return err
}

// syncFolder has the server bring the names in a folder to its disk. OpenSSH
// opens a folder as a file for that; others need not.
func syncFolder(client *sftp.Client, folder string) error {
	dir, err := client.Open(folder)
	if err != nil {
		return nil
	}
	_ = dir.Sync() // there is no other way to ask
	return dir.Close()
}

// makeFolder makes folder and what leads to it. Other writers may do the same
// at the same time.
func makeFolder(client *sftp.Client, folder string) error {
	if _, err := client.Stat(folder); err == nil {
		return nil
	}
	parent := path.Dir(folder)
	if err := makeFolder(client, parent); err != nil {
		return err
	}
	if err := client.Mkdir(folder); err != nil {
		if _, there := client.Stat(folder); there != nil {
			return err
		}
		return nil
	}
	return errors.Join(client.Chmod(folder, 0o700), syncFolder(client, parent))
}

// Load reads part of a file, or all that follows offset when length is 0.
func (f *Folder) Load(ctx context.Context, name string, offset int64, length int) ([]byte, error) {
	return use(ctx, &f.line, func(client *sftp.Client) (data []byte, err error) {
		file, err := client.Open(f.at(name))
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		want := length
		if want == 0 {
			info, err := file.Stat()
			if err != nil || info.Size() <= offset {
				return nil, err
			}
			want = int(info.Size() - offset)
		}
		data = make([]byte, want)
		n, err := file.ReadAt(data, offset)
		if errors.Is(err, io.EOF) && n < want {
			return nil, upkeep.Causef("%d bytes at %d: %w", want, offset, io.ErrUnexpectedEOF)
		}
		if n == want {
			err = nil
		}
		return data, err
	})
}

// List calls fn for every whole file below folder. A folder that does not
// exist holds none.
func (f *Folder) List(ctx context.Context, folder string, fn func(vault.FileInfo) error) error {
	found, err := use(ctx, &f.line, func(client *sftp.Client) ([]vault.FileInfo, error) {
		return f.walk(ctx, client, folder, nil)
	})
	if err != nil {
		return err
	}
	for i := range found {
		if strings.HasPrefix(path.Base(found[i].Name), vault.PartPrefix) {
			continue
		}
		if err := fn(found[i]); err != nil {
			return err
		}
	}
	return nil
}

func (f *Folder) walk(ctx context.Context, client *sftp.Client, folder string, found []vault.FileInfo) ([]vault.FileInfo, error) {
	entries, err := client.ReadDirContext(ctx, f.at(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		name := path.Join(folder, entry.Name())
		if entry.IsDir() {
			if found, err = f.walk(ctx, client, name, found); err != nil {
				return nil, err
			}
			continue
		}
		found = append(found, vault.FileInfo{Name: name, Size: entry.Size(), Modified: entry.ModTime()})
	}
	return found, nil
}

// Stat describes one file.
func (f *Folder) Stat(ctx context.Context, name string) (vault.FileInfo, error) {
	return use(ctx, &f.line, func(client *sftp.Client) (vault.FileInfo, error) {
		found, err := client.Stat(f.at(name))
		if err != nil {
			return vault.FileInfo{}, err
		}
		return vault.FileInfo{Name: name, Size: found.Size(), Modified: found.ModTime()}, nil
	})
}

// Remove deletes a file.
func (f *Folder) Remove(ctx context.Context, name string) error {
	err := f.line.do(ctx, func(client *sftp.Client) error { return client.Remove(f.at(name)) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Tidy removes files that a writer left half written.
func (f *Folder) Tidy(ctx context.Context, now time.Time) error {
	return f.line.do(ctx, func(client *sftp.Client) error {
		found, err := f.walk(ctx, client, ".", nil)
		for i := range found {
			if err == nil && found[i].LeftBehind(now) {
				err = client.Remove(f.at(found[i].Name))
			}
		}
		return err
	})
}
