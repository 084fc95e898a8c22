package wire_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/agent/wire"
	"upkeep/internal/vault"
)

// memory is a vault of blobs in memory.
type memory struct {
	mu    sync.Mutex
	blobs map[vault.ID][]byte
}

func (m *memory) Missing(_ context.Context, _ vault.BlobType, ids []vault.ID) ([]vault.ID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var missing []vault.ID
	for _, id := range ids {
		if _, ok := m.blobs[id]; !ok {
			missing = append(missing, id)
		}
	}
	return missing, nil
}

func (m *memory) Save(_ context.Context, _ vault.BlobType, id vault.ID, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blobs[id] = bytes.Clone(data)
	return nil
}

func (m *memory) Load(_ context.Context, _ vault.BlobType, id vault.ID) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.blobs[id]
	if !ok {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "blob %s", id).WithHint("look elsewhere")
	}
	return data, nil
}

func TestBlobsCrossTheWire(t *testing.T) {
	here, there := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- wire.Serve(t.Context(), there, &memory{blobs: map[vault.ID][]byte{}}) }()
	client := wire.NewClient(here)

	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			data := bytes.Repeat([]byte{byte(i)}, 1000*i)
			id := vault.ID(sha256.Sum256(data))
			if missing, err := client.Missing(t.Context(), vault.DataBlob, []vault.ID{id}); err != nil || len(missing) != 1 {
				t.Errorf("missing before save: %v %v", missing, err)
			}
			if err := client.Save(t.Context(), vault.DataBlob, id, data); err != nil {
				t.Error(err)
			}
			if got, err := client.Load(t.Context(), vault.DataBlob, id); err != nil || !bytes.Equal(got, data) {
				t.Errorf("load: %d bytes, %v", len(got), err)
			}
		})
	}
	all.Wait()

	_, err := client.Load(t.Context(), vault.TreeBlob, vault.ID{1})
	if upkeep.CodeOf(err) != upkeep.CodeNotFound || upkeep.HintOf(err) != "look elsewhere" {
		t.Errorf("an error keeps its code and hint across: %v", err)
	}
	client.Close()
	if err := <-served; err != nil {
		t.Errorf("serve ends quietly when the other side leaves: %v", err)
	}
}

func TestACutConnectionFailsEveryCall(t *testing.T) {
	here, there := net.Pipe()
	client := wire.NewClient(here)
	failed := make(chan error, 1)
	go func() {
		_, err := client.Load(t.Context(), vault.DataBlob, vault.ID{})
		failed <- err
	}()
	head := make([]byte, 9)
	if _, err := there.Read(head); err != nil {
		t.Fatal(err)
	}
	there.Close()
	if err := <-failed; upkeep.CodeOf(err) != upkeep.CodeUnreachable {
		t.Errorf("got %v", err)
	}
	if _, err := client.Load(t.Context(), vault.DataBlob, vault.ID{}); upkeep.CodeOf(err) != upkeep.CodeUnreachable {
		t.Errorf("later calls fail too: %v", err)
	}
}

// slow is a vault that takes its time.
type slow struct {
	memory
	let chan struct{}
}

func (s *slow) Save(context.Context, vault.BlobType, vault.ID, []byte) error {
	<-s.let
	return nil
}

// A host that sends the largest requests there can be, faster than they are
// dealt with, waits before they fill our memory.
func TestRequestsAreHeldBounded(t *testing.T) {
	here, there := net.Pipe()
	blobs := &slow{let: make(chan struct{})}
	go func() { _ = wire.Serve(t.Context(), there, blobs) }() // ends with the test
	const size = 40 << 20
	sent := make(chan int)
	go func() {
		payload := make([]byte, size)
		payload[0] = byte(vault.DataBlob)
		for i := range 3 {
			head := binary.BigEndian.AppendUint32(nil, size+5)
			head = append(head, 2, 0, 0, 0, byte(i)) // save
			if _, err := here.Write(head); err != nil {
				return
			}
			if _, err := here.Write(payload); err != nil {
				return
			}
			sent <- i
		}
	}()
	go func() { _, _ = io.Copy(io.Discard, here) }() // the answers
	<-sent
	<-sent
	select {
	case <-sent:
		t.Error("120 MB are held")
	case <-time.After(100 * time.Millisecond):
	}
	close(blobs.let)
	<-sent
	here.Close()
}
