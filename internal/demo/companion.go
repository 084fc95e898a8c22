package demo

import (
	"context"
	"net"
	"path/filepath"
)

// Companion returns a server beside the world's own, such as a mirror, which
// runs argv under the same account and must listen on address (host and port).
// argv must name folder, which tells its process from a stranger's. The world
// does not start it, and does not stop it: whoever added it does.
func (w *World) Companion(name, folder, address string, argv ...string) *Server {
	return &Server{
		Name: name, argv: argv, config: folder, files: name,
		dir: filepath.Join(w.Dir, "servers"), as: w.as, detached: w.opts.Detached,
		ready: func(ctx context.Context) error {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
			if err == nil {
				_ = conn.Close() // only asked whether somebody listens
			}
			return err
		},
	}
}
