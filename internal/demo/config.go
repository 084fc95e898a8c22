package demo

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// writeConfig writes the site's wp-config.php, or Bedrock's set of files.
func (w *World) writeConfig(s *Site, network bool) error {
	if s.Spec.Layout == Bedrock {
		return w.writeBedrock(s, network)
	}
	var b strings.Builder
	b.WriteString("<?php\n/** The base configuration for WordPress */\n")
	for _, c := range [][2]string{{"DB_NAME", s.Database.Name}, {"DB_USER", s.Database.User}, {"DB_PASSWORD", s.Database.Password},
		{"DB_HOST", "localhost:" + s.Database.Socket}, {"DB_CHARSET", "utf8mb4"}, {"DB_COLLATE", ""}} {
		define(&b, c[0], quote(c[1]))
	}
	for _, name := range []string{"AUTH_KEY", "SECURE_AUTH_KEY", "LOGGED_IN_KEY", "NONCE_KEY",
		"AUTH_SALT", "SECURE_AUTH_SALT", "LOGGED_IN_SALT", "NONCE_SALT"} {
		define(&b, name, quote(rand.Text()+rand.Text()))
	}
	fmt.Fprintf(&b, "\n$table_prefix = %s;\n\n", quote(s.Spec.Prefix))
	s.constants(&b, network)
	if s.Spec.Outside {
		define(&b, "WP_CONTENT_DIR", quote(s.Content))
		define(&b, "WP_CONTENT_URL", quote(s.URL+"content"))
	}
	b.WriteString("\n/* That's all, stop editing! Happy publishing. */\n\n" +
		"if ( ! defined( 'ABSPATH' ) ) {\n\tdefine( 'ABSPATH', __DIR__ . '/' );\n}\nrequire_once ABSPATH . 'wp-settings.php';\n")
	return w.WriteOwned(s, s.Config, b.String(), 0o640)
}

// constants writes those that every layout has.
func (s *Site) constants(b *strings.Builder, network bool) {
	define(b, "WP_DEBUG", "false")
	define(b, "WP_HTTP_BLOCK_EXTERNAL", "true")
	define(b, "DISABLE_WP_CRON", "false")
	if s.Spec.Network {
		define(b, "WP_ALLOW_MULTISITE", "true")
	}
	if network {
		for _, c := range [][2]string{{"MULTISITE", "true"}, {"SUBDOMAIN_INSTALL", "false"}, {"DOMAIN_CURRENT_SITE", quote(s.host())},
			{"PATH_CURRENT_SITE", quote(s.path())}, {"SITE_ID_CURRENT_SITE", "1"}, {"BLOG_ID_CURRENT_SITE", "1"}} {
			define(b, c[0], c[1])
		}
	}
	b.WriteString(s.Spec.Config)
}

// writeBedrock writes the files of a Bedrock project. Its configuration reads
// .env, so nothing short of PHP can say what it comes to.
func (w *World) writeBedrock(s *Site, network bool) error {
	project := filepath.Dir(s.DocumentRoot)
	var b strings.Builder
	b.WriteString("<?php\n$root_dir = dirname(__DIR__);\n$webroot_dir = $root_dir . '/web';\n" +
		"$env = parse_ini_file($root_dir . '/.env', false, INI_SCANNER_RAW);\n\n")
	for _, c := range [][2]string{{"WP_HOME", "$env['WP_HOME']"}, {"WP_SITEURL", "$env['WP_SITEURL']"},
		{"CONTENT_DIR", "'/app'"}, {"WP_CONTENT_DIR", "$webroot_dir . CONTENT_DIR"}, {"WP_CONTENT_URL", "WP_HOME . CONTENT_DIR"},
		{"DB_NAME", "$env['DB_NAME']"}, {"DB_USER", "$env['DB_USER']"}, {"DB_PASSWORD", "$env['DB_PASSWORD']"},
		{"DB_HOST", "$env['DB_HOST'] ?? 'localhost'"}, {"DB_CHARSET", "'utf8mb4'"}, {"DB_COLLATE", "''"}} {
		define(&b, c[0], c[1])
	}
	b.WriteString("$table_prefix = $env['DB_PREFIX'] ?? 'wp_';\n")
	s.constants(&b, network)
	b.WriteString("if (!defined('ABSPATH')) {\n\tdefine('ABSPATH', $webroot_dir . '/wp/');\n}\n")
	env := fmt.Sprintf("DB_NAME=%s\nDB_USER=%s\nDB_PASSWORD=%s\nDB_HOST=localhost:%s\nDB_PREFIX=%s\nWP_ENV=production\nWP_HOME=%s\nWP_SITEURL=%s\n",
		s.Database.Name, s.Database.User, s.Database.Password, s.Database.Socket, s.Spec.Prefix, strings.TrimSuffix(s.URL, "/"), s.siteURL())
	for path, text := range map[string]string{
		s.Config:                          b.String(),
		filepath.Join(project, ".env"):    env,
		s.DocumentRoot + "/index.php":     "<?php\ndefine('WP_USE_THEMES', true);\nrequire __DIR__ . '/wp/wp-blog-header.php';\n",
		s.DocumentRoot + "/wp-config.php": "<?php\nrequire_once dirname(__DIR__) . '/config/application.php';\nrequire_once ABSPATH . 'wp-settings.php';\n",
	} {
		if err := w.WriteOwned(s, path, text, 0o640); err != nil {
			return err
		}
	}
	return nil
}

func define(b *strings.Builder, name, value string) {
	fmt.Fprintf(b, "define( '%s', %s );\n", name, value)
}

// quote writes text as a PHP string.
func quote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

// makeOwned makes a folder of the site and those above it that are missing.
func (w *World) makeOwned(s *Site, dir string) error {
	if dir == s.Dir {
		return nil
	}
	if _, err := os.Lstat(dir); err == nil {
		return nil
	}
	if err := w.makeOwned(s, filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return w.chown(dir)
}

// WriteOwned writes a file of the site, and the folders above it.
func (w *World) WriteOwned(s *Site, path, text string, mode os.FileMode) error {
	if err := w.makeOwned(s, filepath.Dir(path)); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		return err
	}
	return w.chown(path)
}
