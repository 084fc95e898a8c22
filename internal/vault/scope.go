package vault

import (
	"context"
	"sync"

	"upkeep"
)

// Scoped returns blobs as a host may see them: it loads only what can be
// reached from roots, learned as trees are loaded from the top, so that a
// hacked host cannot read what others stored.
func Scoped(blobs Blobs, roots []ID) Blobs {
	s := &scoped{Blobs: blobs, allowed: map[Handle]struct{}{}}
	for _, root := range roots {
		s.allowed[Handle{TreeBlob, root}] = struct{}{}
	}
	return s
}

type scoped struct {
	Blobs
	mu      sync.Mutex
	allowed map[Handle]struct{}
}

// Load returns a blob within the scope, CodeUnauthorized for any other.
func (s *scoped) Load(ctx context.Context, t BlobType, id ID) ([]byte, error) {
	s.mu.Lock()
	_, ok := s.allowed[Handle{t, id}]
	s.mu.Unlock()
	if !ok {
		return nil, upkeep.Errorf(upkeep.CodeUnauthorized, "vault: blob %s is not part of what this host may read", id)
	}
	data, err := s.Blobs.Load(ctx, t, id)
	if err != nil || t != TreeBlob {
		return data, err
	}
	below, err := references(data)
	if err != nil {
		return nil, damaged(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range below {
		s.allowed[h] = struct{}{}
	}
	return data, nil
}
