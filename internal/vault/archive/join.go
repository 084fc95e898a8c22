package archive

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/archive/node"
)

// Join stores one tree that has the sources of several readings, whose names
// must differ, and returns it. What was read at the same time by different
// means becomes one backup so.
func Join(ctx context.Context, blobs vault.Blobs, results ...*Result) (_ vault.ID, err error) {
	defer upkeep.Wrap(&err, "join trees")
	var all []node.Node
	for _, result := range results {
		all = append(all, result.top...)
	}
	slices.SortFunc(all, func(a, b node.Node) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(all); i++ {
		if all[i].Name == all[i-1].Name {
			return vault.ID{}, upkeep.Errorf(upkeep.CodeInvalid, "source %q is in two trees", all[i].Name)
		}
	}
	text := node.Append(nil, all)
	id := vault.ID(sha256.Sum256(text))
	missing, err := blobs.Missing(ctx, vault.TreeBlob, []vault.ID{id})
	if err != nil || len(missing) == 0 {
		return id, err
	}
	return id, blobs.Save(ctx, vault.TreeBlob, id, text)
}
