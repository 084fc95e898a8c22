package wordpress_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/internal/cms/wordpress"
)

// BenchmarkInventory reads a site of 30 plugins with 20 PHP files each in
// their folder, two themes and language packs: anew, and unchanged.
func BenchmarkInventory(b *testing.B) {
	files := map[string]string{}
	for i := range 30 {
		dir := fmt.Sprintf("www/wp-content/plugins/plugin-%d", i)
		files[filepath.Join(dir, "main.php")] = fmt.Sprintf("<?php\n/*\nPlugin Name: Plugin %d\nVersion: 1.%d\n*/\n", i, i)
		for j := range 20 {
			files[fmt.Sprintf("%s/class-%d.php", dir, j)] = "<?php\n" + strings.Repeat("// a line of code that is no header\n", 400)
		}
		files[fmt.Sprintf("www/wp-content/languages/plugins/plugin-%d-de_DE.mo", i)] = mo("PO-Revision-Date: 2024-04-01 10:00:00+0000\n")
	}
	p := newPlanted(b, server(b), "bench", merge(wholeSite, files), "", options("wp_options", "active_plugins", serialized("hello.php"), "db_version", "53496"))
	later := time.Now().Add(time.Minute)
	clock := func() time.Time { return later }
	run := func(b *testing.B, driver func() *wordpress.Driver) {
		for b.Loop() {
			p.driver = driver()
			p.driver.Clock = clock
			if _, err := p.driver.Detect(b.Context(), p, p.layout.Root); err != nil {
				b.Fatal(err)
			}
			p.inventory()
		}
	}
	kept := wordpress.New()
	b.Run("unchanged", func(b *testing.B) { run(b, func() *wordpress.Driver { return kept }) })
	b.Run("anew", func(b *testing.B) { run(b, wordpress.New) })
}
