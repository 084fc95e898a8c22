package tour

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"upkeep"
	"upkeep/internal/cms/php"
	"upkeep/internal/demo"
	"upkeep/internal/demo/mirror"
)

// MirrorCommand is the hidden command of the program that runs Mirror, with
// the folder and the address as arguments.
const MirrorCommand = "mirror"

// mirrorOf returns the server of the mirror at address. It is not started.
func (g *ground) mirrorOf(world *demo.World, address string) *demo.Server {
	return world.Companion("mirror", g.mirror(), address, "/proc/self/exe", MirrorCommand, g.mirror(), address)
}

// Mirror serves the packages in dir (absolute) as wordpress.org would at
// address (host and port), until ctx ends. The plugin whose licence ran out
// is offered without a package.
func Mirror(ctx context.Context, dir, address string) error {
	m, err := mirror.New(mirror.Options{Dir: dir, URL: "http://" + address,
		Compare: func(a, b upkeep.Version) int { return php.CompareVersions(string(a), string(b)) }})
	if err != nil {
		return err
	}
	m.Withhold(licensed)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: m, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	if err := server.Close(); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
