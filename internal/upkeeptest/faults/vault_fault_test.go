package faults_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/upkeeptest"
	"upkeep/internal/web"
)

// largest returns the largest file below dir.
func largest(t *testing.T, dir string) string {
	t.Helper()
	var path string
	var size int64
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() > size {
			path, size = name, info.Size()
		}
		return err
	})
	if err != nil || path == "" {
		t.Fatal(path, err)
	}
	return path
}

// A pack that rots in the vault is named by verify; a backup after it trusts
// nothing of it: it stores anew what the site still has, which heals the
// backups before too.
func TestDamagedPackIsNamedAndHealed(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"a byte": func(path string) error {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text[len(text)/3] ^= 0x40
			if err := os.Chmod(path, 0o600); err != nil {
				return err
			}
			return os.WriteFile(path, text, 0o600)
		},
		"all of it": os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			site := upkeeptest.WordPress(t, upkeeptest.Small())
			p := upkeeptest.Adopt(t, site, upkeeptest.Offers()[:2]...)
			upkeeptest.BackUp(t, p)
			before := upkeeptest.StateOf(t, site)
			pack := largest(t, filepath.Join(p.State, "vault", "data"))
			if err := damage(pack); err != nil {
				t.Fatal(err)
			}
			out, code := p.Run(t, "backup", "verify", "1", "--deep")
			if code != 1 || !strings.Contains(out, filepath.Base(pack)[:8]) {
				t.Errorf("exit %d, does not name %s:\n%s", code, filepath.Base(pack), out)
			}
			// Restoring from it is refused, and harms nothing.
			if err := os.Remove(filepath.Join(site.Root, "wp-trackback.php")); err != nil {
				t.Fatal(err)
			}
			for _, id := range []string{"1"} {
				if out, code := p.Run(t, "backup", "restore", id, "--in-place", "--yes"); code == 0 {
					upkeeptest.Same(t, before, site, upkeeptest.Volatile...) // it needed nothing of the pack
				} else if !strings.Contains(out, "pack") {
					t.Errorf("exit %d does not name the pack:\n%s", code, out)
				}
			}
			upkeeptest.Works(t, site)
			if out, code := p.Run(t, "site", "update", "shop", "--yes"); code != 0 {
				t.Fatalf("exit %d\n%s", code, out)
			}
			iv := p.Last(t)
			for _, id := range []upkeep.BackupID{iv.Before, iv.After} {
				if check := upkeeptest.JSON[web.BackupCheck](t, p, "backup", "verify", id.String(), "--deep"); !check.OK {
					t.Errorf("%+v", check)
				}
			}
			restored := upkeeptest.JSON[web.RestoreResult](t, p, "backup", "restore", iv.Before.String(), "--in-place", "--yes")
			if restored.Identity == nil || !restored.Identity.Proven() {
				t.Errorf("%+v", restored)
			}
			upkeeptest.Works(t, site)
		})
	}
}
