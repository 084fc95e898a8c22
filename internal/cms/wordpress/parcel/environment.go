package parcel

import (
	"context"
	_ "embed"

	"upkeep/internal/cms"
	"upkeep/internal/cms/wordpress/layout"
)

//go:embed scripts/environment.php
var environmentSource string

// interpreter is what a site's PHP says of itself.
type interpreter struct {
	PHP        string   `json:"php"`
	Extensions []string `json:"extensions"`
}

// environment asks the site's PHP what it is. It runs no code of the site.
func environment(ctx context.Context, h cms.Host, l *cms.Layout) (*interpreter, error) {
	var env interpreter
	script := cms.Script{Name: "environment.php", Source: environmentSource, Dir: layout.CoreDir(l)}
	if err := h.PHP(ctx, script, struct{}{}, &env); err != nil {
		return nil, err
	}
	return &env, nil
}
