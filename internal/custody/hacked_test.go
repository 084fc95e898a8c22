package custody

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/yamux"

	"upkeep"
	"upkeep/internal/agent"
	"upkeep/internal/agent/wire"
	"upkeep/internal/vault"
)

// hacked is a host in the hands of somebody else: it speaks our language, and
// does what read says when it is asked for a backup.
type hacked struct {
	read func(ctx context.Context, blobs *wire.Client) (tree string)

	mu    sync.Mutex
	blobs *wire.Client
}

func (h *hacked) Host(context.Context, upkeep.HostID) (*upkeep.Host, error) {
	return &upkeep.Host{ID: 7, Name: "web1"}, nil
}

func (h *hacked) Keys(context.Context, *upkeep.Host, []string) ([]upkeep.HostKey, error) {
	return nil, nil
}

func (h *hacked) Subsystem(context.Context, *upkeep.Host, string) (io.ReadWriteCloser, error) {
	return nil, nil
}

func (h *hacked) Clear(context.Context, *upkeep.Host) error { return nil }

// Open returns a stream to the hacked machine.
func (h *hacked) Open(context.Context, *upkeep.Host) (io.ReadWriteCloser, error) {
	ours, theirs := net.Pipe()
	session, err := yamux.Server(theirs, yamux.DefaultConfig())
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := session.Accept()
			if err != nil {
				return
			}
			go h.attend(conn)
		}
	}()
	return ours, nil
}

func (h *hacked) attend(conn net.Conn) {
	in := bufio.NewReader(conn)
	line, err := in.ReadString('\n')
	if err != nil {
		return
	}
	_, _ = io.WriteString(conn, `{"result":null}`+"\n")
	if !strings.Contains(line, `"dial"`) {
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/alive", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/blobs", h.takeBlobs)
	mux.HandleFunc("/read", h.answerRead)
	listener := make(one, 1)
	listener <- conn
	_ = http.Serve(listener, mux) // it ends with the test
}

func (h *hacked) takeBlobs(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	h.mu.Lock()
	h.blobs = wire.NewClient(conn)
	h.mu.Unlock()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: upkeep-blobs\r\nConnection: Upgrade\r\n\r\n")
}

func (h *hacked) answerRead(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	blobs := h.blobs
	h.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]any{"result": agent.ReadResult{Tree: h.read(r.Context(), blobs), Taken: time.Now()}})
}

// one is a listener of the one connection in it.
type one chan net.Conn

func (o one) Accept() (net.Conn, error) { return <-o, nil }
func (one) Close() error                { return nil }
func (one) Addr() net.Addr              { return &net.UnixAddr{} }

// stored is what another host has in the vault: a file, and the folder it is in.
func stored(t *testing.T, repository *vault.Repository) (data []byte, content, tree vault.ID) {
	t.Helper()
	held, release, err := repository.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	data = []byte("what the other host keeps")
	content = sha256.Sum256(data)
	folder := folderOf(content)
	tree = sha256.Sum256(folder)
	for _, err := range []error{
		repository.Save(held, vault.DataBlob, content, data),
		repository.Save(held, vault.TreeBlob, tree, folder),
		repository.SaveSnapshot(held, &vault.Snapshot{Time: time.Now(), Tree: &tree, Paths: []string{"/srv/other"}, Tags: []string{vault.SiteTag("other")}}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := repository.Flush(held); err != nil {
		t.Fatal(err)
	}
	return data, content, tree
}

// folderOf is a folder with one file.
func folderOf(content vault.ID) []byte {
	return fmt.Appendf(nil, `{"nodes":[{"name":"a","type":"file","mode":420,"content":[%q]}]}`+"\n", content)
}

// A hacked host can neither read what another one stored, nor put anything in
// its place; what it calls a backup and is none becomes none.
func TestAHackedHostSpoilsNoOther(t *testing.T) {
	c := newCustody(t)
	repository, err := c.vault(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	data, content, tree := stored(t, repository)
	evil := []byte("what the hacked host would have there")
	host := &hacked{}
	c.Hosts, c.Remote, c.Now = host, host, time.Now
	defer c.Close()
	site := &upkeep.Site{ID: 1, Name: "shop", Host: 7, Root: "/srv/shop"}
	for name, read := range map[string]func(context.Context, *wire.Client) string{
		"reads": func(ctx context.Context, blobs *wire.Client) string {
			for kind, id := range map[vault.BlobType]vault.ID{vault.DataBlob: content, vault.TreeBlob: tree} {
				if got, err := blobs.Load(ctx, kind, id); upkeep.CodeOf(err) != upkeep.CodeUnauthorized {
					t.Errorf("read of another's: %q, %v", got, err)
				}
			}
			return "nothing"
		},
		// Who knows the hash of what another has, from a manifest say, learns
		// nothing by it, and comes to nothing by a backup that names it.
		"names what another stored": func(ctx context.Context, blobs *wire.Client) string {
			for kind, id := range map[vault.BlobType]vault.ID{vault.DataBlob: content, vault.TreeBlob: tree} {
				if missing, err := blobs.Missing(ctx, kind, []vault.ID{id}); err != nil || len(missing) != 1 {
					t.Errorf("told of another's %s: %v, %v", kind, missing, err)
				}
			}
			ours := folderOf(content)
			ours = bytes.Replace(ours, []byte(`"a"`), []byte(`"mine"`), 1)
			id := vault.ID(sha256.Sum256(ours))
			if err := blobs.Save(ctx, vault.TreeBlob, id, ours); err != nil {
				t.Error(err)
			}
			return id.String()
		},
		"names the whole folder of another": func(context.Context, *wire.Client) string { return tree.String() },
		"overwrites": func(ctx context.Context, blobs *wire.Client) string {
			if err := blobs.Save(ctx, vault.DataBlob, content, evil); upkeep.CodeOf(err) != upkeep.CodeRefused {
				t.Errorf("another's content: %v", err)
			}
			if err := blobs.Save(ctx, vault.TreeBlob, tree, folderOf(sha256.Sum256(evil))); upkeep.CodeOf(err) != upkeep.CodeRefused {
				t.Errorf("another's folder: %v", err)
			}
			return "nothing"
		},
		"poisons": func(ctx context.Context, blobs *wire.Client) string {
			// Somebody will have this content one day: it must not be there as
			// something else by then.
			if err := blobs.Save(ctx, vault.DataBlob, sha256.Sum256([]byte("of tomorrow")), evil); upkeep.CodeOf(err) != upkeep.CodeRefused {
				t.Errorf("a name that is not the content's: %v", err)
			}
			return "nothing"
		},
		"claims what is not there": func(ctx context.Context, blobs *wire.Client) string {
			lie := folderOf(sha256.Sum256([]byte("never sent")))
			id := vault.ID(sha256.Sum256(lie))
			if err := blobs.Save(ctx, vault.TreeBlob, id, lie); err != nil {
				t.Error(err)
			}
			return id.String()
		},
		"claims nothing at all": func(context.Context, *wire.Client) string {
			return vault.ID(sha256.Sum256([]byte("no tree"))).String()
		},
		"sends what is no folder": func(ctx context.Context, blobs *wire.Client) string {
			if err := blobs.Save(ctx, vault.TreeBlob, sha256.Sum256(evil), evil); err != nil {
				t.Error(err)
			}
			return vault.ID(sha256.Sum256(evil)).String()
		},
	} {
		t.Run(name, func(t *testing.T) {
			host.read = read
			client, err := c.Connect(t.Context(), site)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			r := &Reached{c: c, site: site, client: client}
			if result, err := r.read(t.Context(), agent.ReadRequest{}); err == nil {
				t.Errorf("taken for a backup: %+v", result)
			}
		})
	}
	snapshots, err := repository.Snapshots(t.Context())
	if err != nil || len(snapshots) != 1 {
		t.Errorf("snapshots: %+v, %v", snapshots, err)
	}
	if got, err := repository.Load(t.Context(), vault.DataBlob, content); err != nil || !bytes.Equal(got, data) {
		t.Errorf("the other host's content is %q, %v", got, err)
	}
	if _, err := repository.VerifyTree(t.Context(), tree, vault.VerifyOptions{Sample: 1, Limit: 1 << 30}); err != nil {
		t.Errorf("the other host's backup: %v", err)
	}
}
