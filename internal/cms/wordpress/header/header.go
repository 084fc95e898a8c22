// Package header reads what the files of WordPress, its plugins and themes
// say of themselves in their first comment, by WordPress's own rules.
package header

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
)

// Limit is how much of a file WordPress looks at.
const Limit = 8192

// Set names the headers of one sort of file: the name in the file and
// the key WordPress gives it.
type Set struct {
	Name    string                                      // tells sets apart where answers are kept
	headers [][2]string                                 // name in the file, WordPress's key
	Read    func(f *os.File) (map[string]string, error) // for other formats; nil for WordPress's header rule
}

// What WordPress looks for in a plugin's main file and in a theme's style.css.
var (
	Plugin = Set{Name: "plugin", headers: [][2]string{
		{"Plugin Name", "Name"}, {"Plugin URI", "PluginURI"}, {"Version", "Version"}, {"Description", "Description"},
		{"Author", "Author"}, {"Author URI", "AuthorURI"}, {"Text Domain", "TextDomain"}, {"Domain Path", "DomainPath"},
		{"Network", "Network"}, {"Requires at least", "RequiresWP"}, {"Requires PHP", "RequiresPHP"},
		{"Update URI", "UpdateURI"}, {"Requires Plugins", "RequiresPlugins"}, {"Site Wide Only", "_sitewide"},
	}}
	Theme = Set{Name: "theme", headers: [][2]string{
		{"Theme Name", "Name"}, {"Theme URI", "ThemeURI"}, {"Description", "Description"}, {"Author", "Author"},
		{"Author URI", "AuthorURI"}, {"Version", "Version"}, {"Template", "Template"}, {"Status", "Status"}, {"Tags", "Tags"},
		{"Text Domain", "TextDomain"}, {"Domain Path", "DomainPath"}, {"Requires at least", "RequiresWP"},
		{"Requires PHP", "RequiresPHP"}, {"Update URI", "UpdateURI"},
	}}
)

// Parse reads the headers of a file by WordPress's own rule: the first
// line that has a name decides, even when it is empty; what precedes a name on
// its line may be an opening tag and comment marks only. Absent and empty
// headers are left out. shortTag lets "<?" open a line as WordPress 7.1 does.
func Parse(content []byte, set Set, shortTag bool) map[string]string {
	content = content[:min(len(content), Limit)]
	found := make(map[string]string)
	decided := make([]bool, len(set.headers))
	for len(content) > 0 {
		line := content
		if end := bytes.IndexByte(content, '\n'); end >= 0 {
			line = content[:end]
		}
		if end := bytes.IndexByte(line, '\r'); end >= 0 {
			line = line[:end]
		}
		content = content[min(len(line)+1, len(content)):]
		line = headerStart(line, shortTag)
		colon := bytes.IndexByte(line, ':')
		if colon < 0 {
			continue
		}
		for i, h := range set.headers {
			if decided[i] || len(h[0]) != colon || !strings.EqualFold(string(line[:colon]), h[0]) {
				continue
			}
			decided[i] = true
			// PHP takes "0" for nothing.
			if value := string(line[colon+1:]); value != "0" {
				if value = cleanHeader(value); value != "" {
					found[h[1]] = value
				}
			}
		}
	}
	return found
}

// headerStart takes off what may precede a header's name. Without an opening
// tag the blanks before it are comment marks anyway.
func headerStart(line []byte, shortTag bool) []byte {
	if rest, ok := bytes.CutPrefix(bytes.TrimLeft(line, " \t"), []byte("<?")); ok {
		switch {
		case len(rest) >= 3 && bytes.EqualFold(rest[:3], []byte("php")):
			line = rest[3:]
		case shortTag:
			line = rest
		}
	}
	return bytes.TrimLeft(line, " \t/*#@")
}

// cleanHeader cuts the end of a comment or of PHP off a value.
func cleanHeader(value string) string {
	for _, end := range [...]string{"*/", "?>"} {
		if at := strings.Index(value, end); at >= 0 {
			value = strings.TrimRight(value[:at], " \t\n\v\f\r")
		}
	}
	return strings.Trim(value, " \t\n\r\x00\v")
}

// Read returns the headers of a file below dir; nil when the set's own
// reader finds none.
func Read(dir *os.Root, file string, set Set, shortTag bool) (map[string]string, error) {
	// A pipe in the place of a file must not keep us waiting for its other end.
	f, err := dir.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	if set.Read != nil {
		return set.Read(f)
	}
	content := make([]byte, Limit)
	n, err := io.ReadFull(f, content)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return Parse(content[:n], set, shortTag), nil
}
