package area_test

import (
	"testing"

	"upkeep/internal/cms/area"
)

func TestSystemFolder(t *testing.T) {
	for dir, want := range map[string]bool{
		"/": true, "/etc": true, "/etc/apache2": true, "/srv": true, "/home": true, "/usr/share": true, "/proc/1/root": true,
		"/srv/media": false, "/var/www": false, "/usr/share/wordpress": false, "/mnt/uploads": false,
	} {
		if area.System(dir) != want {
			t.Errorf("%s: want %v", dir, want)
		}
	}
}
