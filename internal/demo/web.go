package demo

import (
	"context"
	_ "embed"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"

	"upkeep"
)

// nginxConfig is the web server of one site. Each has its own, so that adding
// a site disturbs no other. Paths are quoted: the folder may have a space in
// its name.
//
//go:embed nginx.conf
var nginxConfig string

// siteConfig serves one WordPress with pretty addresses. %[5]s is for what
// only some sites need. The parameters are written out because those that
// Debian's nginx includes leave the port out of HTTP_HOST.
//
//go:embed site.conf
var siteConfig string

// networkConfig leads the addresses of a network's sites, which are folders
// only in name, to the one WordPress.
const networkConfig = `	if (!-e $request_filename) {
		rewrite ^%[1]s/[_0-9a-zA-Z-]+/wp-admin$ $scheme://$http_host$uri/ permanent;
		rewrite ^%[1]s(/[_0-9a-zA-Z-]+)?(/wp-.*) %[1]s$2 last;
		rewrite ^%[1]s(/[_0-9a-zA-Z-]+)?(/.*\.php)$ %[1]s$2 last;
	}
`

// wikiConfig keeps from visitors what DokuWiki's own .htaccess does.
const wikiConfig = `	location ~ ^/(data|conf|bin|inc|vendor)/ { return 404; }
`

// mediawikiConfig keeps from visitors what MediaWiki's own .htaccess files do.
const mediawikiConfig = `	location ~ ^/(cache|includes|languages|maintenance|vendor)/ { return 404; }
`

// webServer returns a site's own web server. It is not started.
func (w *World) webServer(s *Site) (*Server, error) {
	binary, err := lookServer("nginx")
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "nginx is not installed").WithHint("Install it: apt-get install nginx-light")
	}
	config := filepath.Join(w.Dir, "etc", "sites", s.Name+".conf")
	return &Server{
		Name: "nginx", argv: []string{binary, "-e", "stderr", "-c", config}, config: config,
		files: "nginx-" + s.Name, dir: filepath.Join(w.Dir, "servers"), as: w.as, detached: w.opts.Detached,
		ready: func(ctx context.Context) error {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.host())
			if err == nil {
				_ = conn.Close() // only asked whether somebody listens
			}
			return err
		},
	}, nil
}

// Serve configures and starts a site's web server.
func (w *World) Serve(ctx context.Context, s *Site) (err error) {
	defer upkeep.Wrap(&err, "serve %s", s.Name)
	path := strings.TrimSuffix(s.path(), "/")
	extra := ""
	if s.Spec.Network {
		extra = fmt.Sprintf(networkConfig, path)
	}
	if s.Spec.Outside {
		extra += fmt.Sprintf("\tlocation /content/ { alias \"%s/\"; location ~ \\.php$ { return 404; } }\n", s.Content)
	}
	switch s.CMS {
	case upkeep.DokuWiki:
		extra += wikiConfig
	case upkeep.MediaWiki:
		extra += mediawikiConfig
	}
	site := fmt.Sprintf(siteConfig, s.Port, s.DocumentRoot, s.logDir(), path, extra, w.PHP.socket)
	text := fmt.Sprintf(nginxConfig, filepath.Join(w.Dir, "run"), s.Name, site)
	if err := os.WriteFile(s.Web.config, []byte(text), 0o644); err != nil {
		return err
	}
	return s.Web.Start(ctx)
}

// freePort finds a port that nobody listens on. All have five digits, so
// that a clone's address is as long as its original's (serialized text counts
// its bytes), and lie below those that the kernel gives to clients.
func freePort(ctx context.Context) (int, error) {
	for range 100 {
		port := 20000 + rand.IntN(12000)
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, listener.Close()
		}
	}
	return 0, upkeep.Errorf(upkeep.CodeConflict, "no free port between 20000 and 32000")
}
