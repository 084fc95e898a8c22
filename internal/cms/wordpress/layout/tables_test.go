package layout

import (
	"strings"
	"testing"
)

func TestNeighbours(t *testing.T) {
	tables := map[string]bool{}
	for _, name := range strings.Fields(`wp_options wp_posts wp_users wp_2_options wp_2_posts
		shop_options shop_posts shop_users shop_3_options shop_3_posts wp_blog_options wp_blog_posts
		wp_plugin_options options posts users`) {
		tables[name] = true
	}
	if got := strings.Join(neighbours(tables, "wp_"), " "); got != " shop_ wp_blog_" {
		t.Errorf("neighbours of wp_: %q", got)
	}
	if got := strings.Join(neighbours(tables, "shop_"), " "); got != " wp_blog_ wp_" {
		t.Errorf("neighbours of shop_: %q", got)
	}
}
