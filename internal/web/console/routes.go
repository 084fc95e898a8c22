package console

import (
	"upkeep/internal/web/console/frame"
)

// routes is every address of the console. Those of open answer everybody, all
// others only who has signed in.
func (s *Console) routes(f *frame.Frame, c *Config) error {
	p, err := newPages(f, c)
	if err != nil {
		return err
	}
	open := map[string]frame.Handler{
		"GET /signin":       p.signin.Show,
		"POST /signin":      p.signin.Enter,
		"POST /signout":     p.signin.Leave,
		"POST /preferences": frame.Prefer,
	}
	for pattern, h := range open {
		s.mux.Handle(pattern, f.Open(h))
	}
	for pattern, h := range map[string]frame.Handler{
		"GET /{$}":       p.today.Show,
		"GET /shortcuts": p.shortcuts,
		"/":              frame.Missing,
	} {
		s.mux.Handle(pattern, f.Page(h))
	}
	return nil
}
