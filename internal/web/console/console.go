// Package console is what an agency's operators work in: pages over the same
// services that the API answers from. Every page has a folder of its own below
// it; frame is what they share.
package console

import (
	"log/slog"
	"net/http"
	"time"

	"upkeep"
	"upkeep/internal/web"
	"upkeep/internal/web/console/asset"
	"upkeep/internal/web/console/frame"
)

// Config is what the console is made of. Every service is required.
type Config struct {
	Services web.Config
	Door     frame.Door
	Now      upkeep.Clock   // nil is time.Now
	Zone     *time.Location // in which times are shown; nil is this machine's
	Log      *slog.Logger   // nil discards
}

// Console answers the pages. It is an http.Handler for everything but the API.
type Console struct {
	mux *http.ServeMux
	// A browser says where a request comes from; what changes anything has to
	// come from here.
	guard *http.CrossOriginProtection
}

// New returns the console. It fails only when a template or a text is wrong.
func New(c Config) (*Console, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Zone == nil {
		c.Zone = time.Local
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	assets, err := asset.Load()
	if err != nil {
		return nil, err
	}
	f, err := frame.New(frame.Config{Door: c.Door, Assets: assets, Version: c.Services.Version, Now: c.Now, Zone: c.Zone, Log: c.Log})
	if err != nil {
		return nil, err
	}
	s := &Console{mux: http.NewServeMux(), guard: http.NewCrossOriginProtection()}
	s.mux.Handle("GET "+asset.Prefix, assets)
	return s, s.routes(f, &c)
}

// ServeHTTP answers one request.
func (s *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.guard.Handler(s.mux).ServeHTTP(w, r)
}
