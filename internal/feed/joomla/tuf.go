package joomla

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"upkeep"
	"upkeep/internal/feed"
)

// Bounds of the repository's metadata.
const (
	maxRoots    = 256
	maxMetadata = 4 << 20
	unchanging  = 10 * 365 * 24 * time.Hour // a numbered file is never another
)

// signedTarget is a package that the repository signs.
type signedTarget struct {
	hashes map[string]string
	custom json.RawMessage
}

// trust is what was last found to be signed, kept so that nobody can offer
// something older again.
type trust struct {
	Root      []byte `json:"root"`
	Timestamp []byte `json:"timestamp"`
	Snapshot  []byte `json:"snapshot"`
	Targets   []byte `json:"targets"`
}

// targets returns what the repository signs now, in the order of names. What
// is not signed, is older than what was seen before, or has expired, is
// refused: then it answers what it signed before while that holds, marked
// stale, and nothing after that.
func (c *check) targets(ctx context.Context) ([]signedTarget, error) {
	r := &repository{check: c, base: c.o.Updates + "/cms/"}
	r.key = "tuf/" + hash([]byte(r.base+c.o.Root))
	kept := r.recall(ctx)
	fresh, err := r.walk(ctx, kept)
	if err != nil {
		if err := c.problem(ctx, asRefused(err)); err != nil {
			return nil, err
		}
		if kept == nil {
			return nil, nil
		}
		trusted, err := r.open(kept)
		if err != nil {
			return nil, c.problem(ctx, asRefused(err))
		}
		c.said.Age(r.seen, true)
		return list(trusted), nil
	}
	c.said.Age(r.newest.Fetched, r.newest.Stale)
	return list(fresh), nil
}

// asRefused gives what the client of the repository says a code of ours.
func asRefused(err error) error {
	if _, ours := errors.AsType[*upkeep.Error](err); ours {
		return err
	}
	return upkeep.Errorf(upkeep.CodeRefused, "the repository of releases is not as signed: %w", err)
}

func list(trusted *trustedmetadata.TrustedMetadata) []signedTarget {
	var found []signedTarget
	targets := trusted.Targets[metadata.TARGETS].Signed.Targets
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		t := signedTarget{hashes: map[string]string{}}
		for algorithm, sum := range targets[name].Hashes {
			t.hashes[algorithm] = hex.EncodeToString(sum)
		}
		if targets[name].Custom != nil && len(t.hashes) > 0 {
			t.custom = *targets[name].Custom
			found = append(found, t)
		}
	}
	return found
}

// repository is joomla.org's, asked for one site.
type repository struct {
	*check
	base, key string
	seen      time.Time // when what was kept was signed, as far as we know
	newest    feed.Answer
}

func (r *repository) recall(ctx context.Context) *trust {
	entry, err := r.client.Cache().Get(ctx, r.key)
	kept := &trust{}
	if err != nil || json.Unmarshal(entry.Body, kept) != nil || kept.Root == nil {
		return nil
	}
	r.seen = entry.Fetched
	return kept
}

// file fetches one file of the repository; nil when it has none of that name.
func (r *repository) file(ctx context.Context, name string, age time.Duration) ([]byte, error) {
	answer, err := r.client.Ask(ctx, feed.Request{URL: r.base + name, MaxAge: age, Limit: maxMetadata})
	if err != nil {
		return nil, err
	}
	if answer.Problem != nil {
		return nil, answer.Problem // what was kept says as much
	}
	if name == "timestamp.json" {
		r.newest = answer
	}
	if answer.Status != http.StatusOK {
		return nil, nil
	}
	return answer.Body, nil
}

// need fetches a file that must be there.
func (r *repository) need(ctx context.Context, name string, age time.Duration) ([]byte, error) {
	body, err := r.file(ctx, name, age)
	if err == nil && body == nil {
		err = upkeep.Errorf(upkeep.CodeRefused, "the repository of releases has no %s", name)
	}
	return body, err
}

// walk follows the signatures from the root that is known to the packages.
func (r *repository) walk(ctx context.Context, kept *trust) (*trustedmetadata.TrustedMetadata, error) {
	now := &trust{}
	trusted, err := r.roots(ctx, kept, now)
	if err != nil {
		return nil, err
	}
	if kept != nil && kept.Timestamp != nil {
		_, _ = trusted.UpdateTimestamp(kept.Timestamp) // one that has expired still says what was newest
	}
	if now.Timestamp, err = r.need(ctx, "timestamp.json", r.o.MaxAge); err != nil {
		return nil, err
	}
	_, err = trusted.UpdateTimestamp(now.Timestamp)
	if _, same := errors.AsType[*metadata.ErrEqualVersionNumber](err); err != nil && !same {
		return nil, err
	}
	if kept != nil && kept.Snapshot != nil {
		_, _ = trusted.UpdateSnapshot(kept.Snapshot, true) // what it lists may not become less
	}
	version := trusted.Timestamp.Signed.Meta["snapshot.json"]
	if version == nil {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "the repository of releases has no %s", "snapshot.json")
	}
	if now.Snapshot, err = r.need(ctx, fmt.Sprintf("%d.snapshot.json", version.Version), unchanging); err != nil {
		return nil, err
	}
	if _, err := trusted.UpdateSnapshot(now.Snapshot, false); err != nil {
		return nil, err
	}
	version = trusted.Snapshot.Signed.Meta["targets.json"]
	if version == nil {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "the repository of releases has no %s", "targets.json")
	}
	if now.Targets, err = r.need(ctx, fmt.Sprintf("%d.targets.json", version.Version), unchanging); err != nil {
		return nil, err
	}
	if _, err := trusted.UpdateTargets(now.Targets); err != nil {
		return nil, err
	}
	body, err := json.Marshal(now)
	if err != nil {
		return nil, err
	}
	return trusted, r.client.Cache().Put(ctx, r.key, feed.Entry{Status: http.StatusOK, Body: body, Fetched: r.client.Clock()()})
}

// roots finds the newest root: each is signed by the one before it, the first
// is known by its hash.
func (r *repository) roots(ctx context.Context, kept, now *trust) (*trustedmetadata.TrustedMetadata, error) {
	if kept != nil {
		now.Root = kept.Root
	} else {
		first, err := r.need(ctx, "1.root.json", unchanging)
		if err != nil {
			return nil, err
		}
		if hash(first) != r.o.Root {
			return nil, upkeep.Errorf(upkeep.CodeRefused, "the first root of the repository of releases is not the known one")
		}
		now.Root = first
	}
	trusted, err := trustedmetadata.New(now.Root)
	if err != nil {
		return nil, err
	}
	trusted.RefTime = r.client.Clock()().UTC()
	for range maxRoots {
		next, err := r.file(ctx, fmt.Sprintf("%d.root.json", trusted.Root.Signed.Version+1), r.o.MaxAge)
		if err != nil {
			return nil, err
		}
		if next == nil {
			break
		}
		if _, err := trusted.UpdateRoot(next); err != nil {
			return nil, err
		}
		now.Root = next
	}
	return trusted, nil
}

// open checks what was kept, as of now.
func (r *repository) open(kept *trust) (*trustedmetadata.TrustedMetadata, error) {
	trusted, err := trustedmetadata.New(kept.Root)
	if err != nil {
		return nil, err
	}
	trusted.RefTime = r.client.Clock()().UTC()
	if _, err := trusted.UpdateTimestamp(kept.Timestamp); err != nil {
		return nil, err
	}
	if _, err := trusted.UpdateSnapshot(kept.Snapshot, false); err != nil {
		return nil, err
	}
	_, err = trusted.UpdateTargets(kept.Targets)
	return trusted, err
}

func hash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
