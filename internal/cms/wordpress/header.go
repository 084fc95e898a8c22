package wordpress

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// headerBytes is how much of a file WordPress looks at.
const headerBytes = 8192

// headerSet names the headers of one sort of file: the name in the file and
// the key WordPress gives it.
type headerSet struct {
	name    string
	headers [][2]string
	read    func(f *os.File) (map[string]string, error) // nil for WordPress's header rule
}

var (
	pluginHeaders = headerSet{name: "plugin", headers: [][2]string{
		{"Plugin Name", "Name"}, {"Plugin URI", "PluginURI"}, {"Version", "Version"}, {"Description", "Description"},
		{"Author", "Author"}, {"Author URI", "AuthorURI"}, {"Text Domain", "TextDomain"}, {"Domain Path", "DomainPath"},
		{"Network", "Network"}, {"Requires at least", "RequiresWP"}, {"Requires PHP", "RequiresPHP"},
		{"Update URI", "UpdateURI"}, {"Requires Plugins", "RequiresPlugins"}, {"Site Wide Only", "_sitewide"},
	}}
	themeHeaders = headerSet{name: "theme", headers: [][2]string{
		{"Theme Name", "Name"}, {"Theme URI", "ThemeURI"}, {"Description", "Description"}, {"Author", "Author"},
		{"Author URI", "AuthorURI"}, {"Version", "Version"}, {"Template", "Template"}, {"Status", "Status"}, {"Tags", "Tags"},
		{"Text Domain", "TextDomain"}, {"Domain Path", "DomainPath"}, {"Requires at least", "RequiresWP"},
		{"Requires PHP", "RequiresPHP"}, {"Update URI", "UpdateURI"},
	}}
)

// parseHeaders reads the headers of a file by WordPress's own rule: the first
// line that has a name decides, even when it is empty; what precedes a name on
// its line may be an opening tag and comment marks only. Absent and empty
// headers are left out. shortTag lets "<?" open a line as WordPress 7.1 does.
func parseHeaders(content []byte, set headerSet, shortTag bool) map[string]string {
	content = content[:min(len(content), headerBytes)]
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

// headersOf returns the headers of a file below dir, from the cache when the
// file has not changed since.
func (d *Driver) headersOf(dir *os.Root, file string, set headerSet, shortTag bool) (map[string]string, error) {
	info, err := dir.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil // a FIFO would make us wait for ever
	}
	key, steady := keyOf(info, d.now())
	name := set.name
	if shortTag {
		name += "+"
	}
	if headers, known := d.Cache.headers(key, name); known && steady {
		return headers, nil
	}
	headers, err := readHeaders(dir, file, set, shortTag)
	if err != nil {
		return nil, err
	}
	if set.name == pluginHeaders.name && headers["Name"] == "" {
		headers = nil // most PHP files; not worth the memory
	}
	if steady {
		d.Cache.remember(key, name, headers)
	}
	return headers, nil
}

func readHeaders(dir *os.Root, file string, set headerSet, shortTag bool) (map[string]string, error) {
	f, err := dir.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if set.read != nil {
		return set.read(f)
	}
	content := make([]byte, headerBytes)
	n, err := io.ReadFull(f, content)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return parseHeaders(content[:n], set, shortTag), nil
}

// scriptsIn returns the names in a folder that may be a plugin's main file,
// from the cache when no entry was added, renamed or removed since.
func (d *Driver) scriptsIn(folder *os.Root) ([]string, error) {
	info, err := folder.Stat(".")
	if err != nil {
		return nil, err
	}
	key, steady := keyOf(info, d.now())
	if names, known := d.Cache.scripts(key); known && steady {
		return names, nil
	}
	f, err := folder.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		return strings.HasPrefix(name, ".") || !strings.HasSuffix(name, ".php")
	})
	names = slices.Clip(slices.Clone(names))
	if steady {
		d.Cache.rememberScripts(key, names)
	}
	return names, nil
}

func (d *Driver) now() time.Time {
	if d.Clock == nil {
		return time.Now()
	}
	return d.Clock()
}
