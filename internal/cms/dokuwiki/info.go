package dokuwiki

import (
	"regexp"
	"strings"
)

// info is what a plugin.info.txt or template.info.txt says, by key.
type info map[string]string

var comment = regexp.MustCompile(`(^|[^&\\])#.*$`)

// blanks stand between a key and its value.
const blanks = " \t\r\n\f\v"

// parseInfo reads lines of a key, blanks and a value as confToHash does: a #
// that no & or \ precedes begins a comment, the last line of a key counts.
func parseInfo(text []byte) info {
	found := info{}
	for line := range strings.SplitSeq(strings.TrimPrefix(string(text), "\xef\xbb\xbf"), "\n") {
		if strings.Contains(line, "#") {
			line = strings.ReplaceAll(comment.ReplaceAllString(line, "$1"), `\#`, "#")
		}
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		key, value := line, ""
		if end := strings.IndexAny(line, blanks); end >= 0 {
			key, value = line[:end], strings.TrimLeft(line[end:], blanks)
		}
		found[strings.ToLower(key)] = value
	}
	return found
}

// releaseLine is the first line of VERSION: 2026-07-14b "Mort".
var releaseLine = regexp.MustCompile(`^((?:rc)?\d{4}-\d\d-\d\d[a-z]?)(?:\s+"([^"]*)")?$`)

// parseVersion returns the version in a file VERSION and its code name, ""
// when it holds none.
func parseVersion(text []byte) (version, codename string) {
	match := releaseLine.FindStringSubmatch(strings.TrimSpace(string(text)))
	if match == nil {
		return "", ""
	}
	return match[1], match[2]
}

// bundled are the plugins and templates that a release brings itself, of any
// release: they are updated with it, and by it alone.
var bundled = map[string]bool{
	"acl": true, "authad": true, "authldap": true, "authpdo": true, "authplain": true, "config": true, "extension": true,
	"info": true, "logviewer": true, "popularity": true, "revert": true, "safefnrecode": true, "styling": true,
	"testing": true, "usermanager": true, "template:dokuwiki": true,
}
