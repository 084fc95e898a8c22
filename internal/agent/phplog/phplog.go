// Package phplog says whether a site's PHP has logged serious errors since.
package phplog

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/cms"
)

// Sizes notes how long the site's PHP logs are now.
func Sizes(layout *cms.Layout, named string) map[string]int64 {
	sizes := map[string]int64{}
	for _, path := range append([]string{named}, layout.Logs...) {
		if path == "" || !filepath.IsAbs(path) {
			continue
		}
		sizes[path] = 0
		if info, err := os.Stat(path); err == nil {
			sizes[path] = info.Size()
		}
	}
	return sizes
}

var seriousLine = regexp.MustCompile(`PHP (Fatal error|Parse error)|Uncaught `)

// maxGrown is how much of what a log grew by is looked at, its end.
const maxGrown = 16 << 20

// Checks looks for serious errors logged since Sizes.
func Checks(sizes map[string]int64) []upkeep.Check {
	var checks []upkeep.Check
	for _, path := range slices.Sorted(maps.Keys(sizes)) {
		f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err != nil {
			continue
		}
		check := upkeep.Check{Code: "log", Subject: path}
		check.Got = seriousIn(f, sizes[path])
		check.OK = check.Got == ""
		f.Close()
		checks = append(checks, check)
	}
	return checks
}

// seriousIn returns the first serious error in f after from, "" for none. A
// log that was begun anew is looked at from its start; a line can have any
// length.
func seriousIn(f *os.File, from int64) string {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	if info.Size() < from {
		from = 0
	}
	from = max(from, info.Size()-maxGrown)
	grown := make([]byte, info.Size()-from)
	n, _ := f.ReadAt(grown, from) // what could be read is what there is
	at := seriousLine.FindIndex(grown[:n])
	if at == nil {
		return ""
	}
	begin := bytes.LastIndexByte(grown[:at[0]], '\n') + 1
	line, _, _ := bytes.Cut(grown[max(begin, at[0]-200):n], []byte("\n"))
	return strings.ToValidUTF8(string(line[:min(len(line), 1000)]), "?")
}
