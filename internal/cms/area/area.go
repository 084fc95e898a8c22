// Package area decides which folders belong to a site. A configuration says
// where a CMS keeps files; a hacked one must not turn the host's folders, or
// another site's, into the site's own.
package area

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"upkeep"
	"upkeep/internal/cms"
)

// Relative returns file relative to dir when it is dir or inside it.
func Relative(dir, file string) (string, bool) {
	if file == dir {
		return ".", true
	}
	return strings.CutPrefix(file, strings.TrimSuffix(dir, "/")+"/")
}

// Nearest resolves the links of a folder that is not there (yet): it is where
// its nearest existing folder really is.
func Nearest(dir string) string {
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		if resolved, err := filepath.EvalSymlinks(parent); err == nil {
			return filepath.Join(resolved, strings.TrimPrefix(dir, parent))
		}
		if parent == "/" || parent == "." {
			return dir
		}
	}
}

// Covered reports whether an area of the site holds dir.
func Covered(l *cms.Layout, dir string) bool {
	return slices.ContainsFunc(l.Areas, func(area cms.Area) bool {
		_, inside := Relative(area.Dir, dir)
		return inside && area.Only == nil
	})
}

// Add makes an area of a folder, links resolved, that no area holds yet. A
// folder that cannot be the site's own is reported instead: one that holds the
// root, that is the system's, or that another account than that of one of the
// owners' folders owns.
func Add(l *cms.Layout, name, dir string, owners ...string) {
	if Covered(l, dir) {
		return
	}
	if _, holdsRoot := Relative(dir, l.Root); holdsRoot || System(dir) || !owned(dir, owners) {
		l.Findings = append(l.Findings, upkeep.Finding{Code: "area_refused", Paths: []string{dir}, Detail: name, Blocks: true})
		return
	}
	Append(l, name, dir)
}

// Append makes an area of a folder that is known to be the site's.
func Append(l *cms.Layout, name, dir string) {
	l.Areas = slices.DeleteFunc(l.Areas, func(area cms.Area) bool {
		_, inside := Relative(dir, area.Dir)
		return inside && area.Only == nil
	})
	l.Areas = append(l.Areas, cms.Area{Name: name, Dir: dir})
}

// System reports whether dir belongs to the host whatever a site says.
func System(dir string) bool {
	parts := strings.Split(strings.Trim(dir, "/"), "/")
	switch parts[0] {
	case "dev":
		return len(parts) < 3 || parts[1] != "shm" // memory holds files like any disk
	case "", "bin", "boot", "etc", "lib", "lib64", "proc", "root", "run", "sbin", "sys":
		return true
	case "usr":
		return len(parts) < 3 || parts[1] != "share" && parts[1] != "local"
	}
	// The first level (/srv, /home, /var) holds many sites.
	return len(parts) < 2
}

// owned reports whether dir belongs to who owns one of the folders.
func owned(dir string, folders []string) bool {
	owner, ok := Owner(dir)
	return ok && slices.ContainsFunc(folders, func(folder string) bool {
		other, ok := Owner(folder)
		return ok && other == owner
	})
}

// Owner returns the account of a folder; false when there is none.
func Owner(dir string) (uint32, bool) {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return 0, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return st.Uid, true
}
