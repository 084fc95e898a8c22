// Package feed brings releases and packages from publishers. It holds what
// every publisher needs: a bounded HTTP client that remembers answers, and the
// verified package store. Each publisher has a subpackage.
//
// Nothing from outside is trusted: size, time and redirects are bounded, plain
// http and private addresses are refused unless the operator named the host,
// and a package counts only once its content was checked.
package feed

import (
	"context"
	"maps"
	"sync"
	"time"

	"upkeep"
)

// Cache remembers answers between runs. Keys are opaque strings of at most
// 200 bytes. An implementation may forget at any time, which costs a request.
type Cache interface {
	// Get returns the entry, or CodeNotFound.
	Get(ctx context.Context, key string) (Entry, error)
	// Put stores the entry in the place of the one before.
	Put(ctx context.Context, key string, entry Entry) error
}

// Entry is one remembered answer.
type Entry struct {
	Status   int       `json:"status"` // HTTP status: 200, or 404 for a known absence
	Body     []byte    `json:"body,omitempty"`
	ETag     string    `json:"etag,omitempty"`
	Modified string    `json:"modified,omitempty"` // Last-Modified, as sent
	Fetched  time.Time `json:"fetched"`            // when the publisher last confirmed it
}

// Age returns how long ago the publisher confirmed the entry, never negative.
func (e *Entry) Age(now time.Time) time.Duration { return max(0, now.Sub(e.Fetched)) }

// Memory is a Cache that lasts as long as the process. The zero value is
// ready for use.
type Memory struct {
	mu      sync.Mutex
	entries map[string]Entry
}

var _ Cache = (*Memory)(nil)

// Get returns the entry, or CodeNotFound.
func (m *Memory) Get(_ context.Context, key string) (Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	entry, ok := m.entries[key]
	if !ok {
		return Entry{}, upkeep.Errorf(upkeep.CodeNotFound, "no remembered answer for %s", key)
	}
	return entry, nil
}

// Put stores the entry.
func (m *Memory) Put(_ context.Context, key string, entry Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		m.entries = make(map[string]Entry)
	}
	m.entries[key] = entry
	return nil
}

// Keys returns a copy of what is remembered, for tests and inspection.
func (m *Memory) Keys() map[string]Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.entries)
}
