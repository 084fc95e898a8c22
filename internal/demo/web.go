package demo

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"upkeep"
)

// nginxConfig has, beside the sites, a socket that tells which configuration
// is in force: a reload is done when the new number is answered.
const nginxConfig = `pid %[1]s/nginx.pid;
error_log stderr warn;
worker_processes 2;
daemon off;
events { worker_connections 512; }
http {
	include /etc/nginx/mime.types;
	default_type application/octet-stream;
	access_log off;
	server_tokens off;
	client_max_body_size 64m;
	client_body_temp_path %[1]s/tmp/body;
	proxy_temp_path %[1]s/tmp/proxy;
	fastcgi_temp_path %[1]s/tmp/fastcgi;
	uwsgi_temp_path %[1]s/tmp/uwsgi;
	scgi_temp_path %[1]s/tmp/scgi;
	server { listen unix:%[2]s; location / { return 200 "%[3]d"; } }
	include %[4]s/sites/*.conf;
}
`

// siteConfig serves one WordPress with pretty addresses. %[5]s is for what
// only some sites need. The parameters are written out because those that
// Debian's nginx includes leave the port out of HTTP_HOST.
const siteConfig = `server {
	listen 127.0.0.1:%[1]d;
	server_name 127.0.0.1;
	root %[2]s;
	index index.php index.html;
	access_log %[3]s/access.log;
	error_log %[3]s/error.log;
	location ~ /\. { deny all; }
%[5]s	location / { try_files $uri $uri/ %[4]s/index.php?$args; }
	location ~ \.php$ {
		try_files $uri =404;
		fastcgi_pass unix:%[6]s;
		fastcgi_index index.php;
		fastcgi_read_timeout 120s;
		fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
		fastcgi_param SCRIPT_NAME $fastcgi_script_name;
		fastcgi_param QUERY_STRING $query_string;
		fastcgi_param REQUEST_METHOD $request_method;
		fastcgi_param REQUEST_URI $request_uri;
		fastcgi_param DOCUMENT_URI $document_uri;
		fastcgi_param DOCUMENT_ROOT $document_root;
		fastcgi_param CONTENT_TYPE $content_type;
		fastcgi_param CONTENT_LENGTH $content_length;
		fastcgi_param SERVER_PROTOCOL $server_protocol;
		fastcgi_param REQUEST_SCHEME $scheme;
		fastcgi_param GATEWAY_INTERFACE CGI/1.1;
		fastcgi_param SERVER_SOFTWARE nginx;
		fastcgi_param REMOTE_ADDR $remote_addr;
		fastcgi_param REMOTE_PORT $remote_port;
		fastcgi_param SERVER_ADDR $server_addr;
		fastcgi_param SERVER_PORT $server_port;
		fastcgi_param SERVER_NAME $server_name;
		fastcgi_param REDIRECT_STATUS 200;
		fastcgi_param PHP_ADMIN_VALUE "error_log=%[3]s/php.log";
	}
}
`

// networkConfig leads the addresses of a network's sites, which are folders
// only in name, to the one WordPress.
const networkConfig = `	if (!-e $request_filename) {
		rewrite ^%[1]s/[_0-9a-zA-Z-]+/wp-admin$ $scheme://$http_host$uri/ permanent;
		rewrite ^%[1]s(/[_0-9a-zA-Z-]+)?(/wp-.*) %[1]s$2 last;
		rewrite ^%[1]s(/[_0-9a-zA-Z-]+)?(/.*\.php)$ %[1]s$2 last;
	}
`

func (w *World) webServer() (*Server, error) {
	binary, err := lookServer("nginx")
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "nginx is not installed").WithHint("Install it: apt-get install nginx-light")
	}
	config := filepath.Join(w.Dir, "etc", "nginx.conf")
	socket, err := w.socketPath("web.sock")
	if err != nil {
		return nil, err
	}
	return &Server{
		Name: "nginx", argv: []string{binary, "-e", "stderr", "-c", config}, config: config,
		socket: socket, dir: filepath.Join(w.Dir, "servers"), as: w.as, detached: w.opts.Detached,
		ready: func(ctx context.Context) error { return inForce(ctx, socket, w.state.Generation) },
	}, nil
}

// configureWeb writes the web server's configuration with a new number.
func (w *World) configureWeb() error {
	if w.Web.PID() != 0 {
		return nil // it has one
	}
	return w.writeWebConfig()
}

func (w *World) writeWebConfig() error {
	w.state.Generation++
	text := fmt.Sprintf(nginxConfig, filepath.Join(w.Dir, "run"), w.Web.socket, w.state.Generation, filepath.Join(w.Dir, "etc"))
	if err := os.WriteFile(w.Web.config, []byte(text), 0o644); err != nil {
		return err
	}
	return w.save()
}

// serve writes a site's configuration and has the web server take it over.
func (w *World) serve(ctx context.Context, s *Site) (err error) {
	defer upkeep.Wrap(&err, "serve %s", s.Name)
	path := strings.TrimSuffix(s.path(), "/")
	extra := ""
	if s.Spec.Network {
		extra = fmt.Sprintf(networkConfig, path)
	}
	if s.Spec.Outside {
		extra += fmt.Sprintf("\tlocation /content/ { alias %s/; location ~ \\.php$ { return 404; } }\n", s.Content)
	}
	text := fmt.Sprintf(siteConfig, s.Port, s.DocumentRoot, s.logDir(), path, extra, w.PHP.socket)
	if err := os.WriteFile(w.siteConfigFile(s), []byte(text), 0o644); err != nil {
		return err
	}
	return w.reload(ctx)
}

func (w *World) siteConfigFile(s *Site) string {
	return filepath.Join(w.Dir, "etc", "sites", s.Name+".conf")
}

// reload makes the web server read its configuration and waits until it is in force.
func (w *World) reload(ctx context.Context) error {
	if err := w.writeWebConfig(); err != nil {
		return err
	}
	pid := w.Web.PID()
	if pid == 0 {
		return upkeep.Errorf(upkeep.CodeConflict, "the web server does not run").WithHint("Start the demo first.")
	}
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return err
	}
	return w.Web.waitReady(ctx, nil)
}

// inForce asks the web server which configuration it works by.
func inForce(ctx context.Context, socket string, generation int) error {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://web/", nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 100))
	if err != nil {
		return err
	}
	if string(text) != strconv.Itoa(generation) {
		return fmt.Errorf("configuration %s is in force, not %d", text, generation)
	}
	return nil
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
