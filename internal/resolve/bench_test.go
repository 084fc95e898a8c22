package resolve_test

import (
	"fmt"
	"testing"

	"upkeep"
	"upkeep/internal/resolve"
)

// BenchmarkResolve is one site of 25 components, 10 of them outdated.
func BenchmarkResolve(b *testing.B) {
	in := site(core("6.8.3"))
	in.Releases = []upkeep.Release{release(upkeep.Core, "wordpress", "7.1"), release(upkeep.Core, "wordpress", "6.8.8")}
	for i := range 24 {
		slug := fmt.Sprintf("plugin-%02d", i)
		in.Inventory.Components = append(in.Inventory.Components, plugin(slug, "1.0"))
		r := release(upkeep.Plugin, slug, upkeep.Version([]string{"1.0", "1.1"}[i%5/3]))
		if i%4 == 3 {
			r.RequiresComponents = []string{"plugin-00"}
		}
		in.Releases = append(in.Releases, r)
	}
	for b.Loop() {
		resolve.Resolve(in)
	}
}
