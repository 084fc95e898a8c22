package vhost_test

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"upkeep/internal/agent/scan/vhost"
)

// machine writes files below a folder that stands for a machine's root.
func machine(t *testing.T, files map[string]string) string {
	t.Helper()
	base := t.TempDir()
	for name, text := range files {
		path := filepath.Join(base, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return base
}

func expect(t *testing.T, base string, want ...vhost.Vhost) {
	t.Helper()
	got := vhost.Read(base)
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("%+v is missing", w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("%+v is not there", g)
		}
	}
}

// As Debian's nginx is set up, with what people write into it.
func TestNginx(t *testing.T) {
	expect(t, machine(t, map[string]string{
		"/etc/nginx/nginx.conf": `user www-data;
events { worker_connections 768; }
http {
	include mime.types;
	map $http_upgrade $connection { default upgrade; '' close; }
	log_format main '$remote_addr { "$request" }'; # a brace in quotes; and one } in a comment
	include /etc/nginx/conf.d/*.conf;
	include sites-enabled/*;
}`,
		"/etc/nginx/mime.types": "types { text/html html; }",
		"/etc/nginx/sites-enabled/shop": `server {
	listen 80; listen [::]:80;
	server_name shop.test www.shop.test;
	return 301 https://$host$request_uri;
}
server {
	listen 443 ssl; listen [::]:443 ssl;
	server_name shop.test www.shop.test;
	root "/srv/www/shop";
	index index.php;
	location ~ \.php$ { include snippets/fastcgi-php.conf; fastcgi_pass unix:/run/php/php-fpm.sock; }
	location ^~ /wiki/ { alias /srv/www/wiki/; location ~ \.php$ { fastcgi_index index.php; } }
	location /forum { root /srv/other; }
	if ($host ~* ^(?:m)\.) { return 301 /; }
}`,
		"/etc/nginx/snippets/fastcgi-php.conf": "fastcgi_split_path_info ^(.+?\\.php)(/.*)$;",
		"/etc/nginx/conf.d/many.conf":          "server { listen 8080; server_name Odd.Test; root /srv/odd; }\nserver { server_name ~^(.+)\\.apps\\.test$; root /srv/apps/$1/web; }\n",
	}),
		vhost.Vhost{URL: "https://shop.test", Root: "/srv/www/shop"},
		vhost.Vhost{URL: "https://www.shop.test", Root: "/srv/www/shop"},
		vhost.Vhost{URL: "https://shop.test/wiki", Root: "/srv/www/wiki"},
		vhost.Vhost{URL: "https://www.shop.test/wiki", Root: "/srv/www/wiki"},
		vhost.Vhost{URL: "https://shop.test/forum", Root: "/srv/other/forum"},
		vhost.Vhost{URL: "https://www.shop.test/forum", Root: "/srv/other/forum"},
		vhost.Vhost{URL: "http://odd.test:8080", Root: "/srv/odd"},
		vhost.Vhost{Root: "/srv/apps"},
	)
}

// As Debian's Apache is set up.
func TestApache(t *testing.T) {
	expect(t, machine(t, map[string]string{
		"/etc/apache2/apache2.conf": `Define SITES /srv/www
<Directory />
	AllowOverride None
</Directory>
IncludeOptional conf-enabled/*.conf
IncludeOptional sites-enabled/*.conf
`,
		"/etc/apache2/conf-enabled/wiki.conf": "Alias /dokuwiki /usr/share/dokuwiki\n",
		"/etc/apache2/sites-enabled/000-default.conf": `<VirtualHost *:80>
	ServerAdmin webmaster@localhost
	DocumentRoot /var/www/html
	# ServerName www.example.com
</VirtualHost>`,
		"/etc/apache2/sites-enabled/shop.conf": `<IfModule mod_ssl.c>
<virtualhost *:443>
	servername shop.test:443
	ServerAlias www.shop.test \
		*.shop.test
	DocumentRoot "${SITES}/shop site"
	SSLEngine on
	Alias "/old" "/srv/www/old"
</virtualhost>
</IfModule>`,
	}),
		vhost.Vhost{Root: "/usr/share/dokuwiki"},
		vhost.Vhost{Root: "/var/www/html"},
		vhost.Vhost{URL: "https://shop.test", Root: "/srv/www/shop site"},
		vhost.Vhost{URL: "https://www.shop.test", Root: "/srv/www/shop site"},
		vhost.Vhost{URL: "https://shop.test/old", Root: "/srv/www/old"},
		vhost.Vhost{URL: "https://www.shop.test/old", Root: "/srv/www/old"},
	)
}

// Panels write one file with all, or one for each account.
func TestPanels(t *testing.T) {
	expect(t, machine(t, map[string]string{
		"/etc/apache2/conf/httpd.conf":                        "ServerRoot \"/etc/apache2\"\nInclude \"conf.d/*.conf\"\n<VirtualHost 192.0.2.7:80>\n  ServerName cpanel.test\n  ServerAlias mail.cpanel.test www.cpanel.test\n  DocumentRoot /home/u1/public_html\n</VirtualHost>\n",
		"/etc/httpd/conf/httpd.conf":                          "ServerRoot \"/etc/httpd\"\nInclude conf/extra/directadmin-vhosts.conf\nIncludeOptional conf.d/*.conf\n",
		"/etc/httpd/conf/extra/directadmin-vhosts.conf":       "Include /usr/local/directadmin/data/users/u2/httpd.conf\n",
		"/usr/local/directadmin/data/users/u2/httpd.conf":     "<VirtualHost 192.0.2.8:443 >\nSSLEngine on\nServerName www.da.test\nServerAlias www.da.test da.test\nDocumentRoot /home/u2/domains/da.test/private_html\n</VirtualHost>\n",
		"/etc/httpd/conf.d/zz010_psa_httpd.conf":              "Include \"/etc/httpd/conf/plesk.conf.d/vhosts/*.conf\"\n",
		"/etc/httpd/conf/plesk.conf.d/vhosts/plesk.test.conf": "<IfModule mod_ssl.c>\n<VirtualHost 192.0.2.9:443 127.0.0.1:443>\n\tServerName \"plesk.test:443\"\n\tDocumentRoot \"/var/www/vhosts/plesk.test/httpdocs\"\n</VirtualHost>\n</IfModule>\n",
	}),
		vhost.Vhost{URL: "http://cpanel.test", Root: "/home/u1/public_html"},
		vhost.Vhost{URL: "http://mail.cpanel.test", Root: "/home/u1/public_html"},
		vhost.Vhost{URL: "http://www.cpanel.test", Root: "/home/u1/public_html"},
		vhost.Vhost{URL: "https://www.da.test", Root: "/home/u2/domains/da.test/private_html"},
		vhost.Vhost{URL: "https://da.test", Root: "/home/u2/domains/da.test/private_html"},
		vhost.Vhost{URL: "https://plesk.test", Root: "/var/www/vhosts/plesk.test/httpdocs"},
	)
}

// A configuration that includes itself, is no text, a pipe, or cut off.
func TestWhatIsNoConfiguration(t *testing.T) {
	base := machine(t, map[string]string{
		"/etc/nginx/nginx.conf":            "include nginx.conf; include pipe; include cut;",
		"/etc/nginx/cut":                   "server { server_name a.test; root '/srv/a",
		"/etc/apache2/apache2.conf":        "Include apache2.conf\nInclude .\nDocumentRoot\n<VirtualHost\n</VirtualHost>\nDocumentRoot /srv/b\n\x00\xff \"",
		"/usr/local/nginx/conf/nginx.conf": "}}}} {{{{ ;;;; server { } ${",
	})
	if err := syscall.Mkfifo(filepath.Join(base, "etc/nginx/pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	vhosts := vhost.Read(base)
	if !slices.Contains(vhosts, vhost.Vhost{Root: "/srv/b"}) {
		t.Errorf("%+v", vhosts)
	}
}
