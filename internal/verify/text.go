package verify

import (
	"bytes"
	"regexp"
	"strings"

	"golang.org/x/net/html"
)

// text is what a page says to a person, and what it says by accident.
type text struct {
	title   string
	words   string // visible text without digits: dates, counters and nonces change
	markers []string
}

// Marks that verification looks for in a body. A page that had one before may
// keep it; a new one is a failure.
var marks = []struct {
	name    string
	pattern *regexp.Regexp
}{
	{"critical_error", regexp.MustCompile(`(?i)there has been a critical error|wp-die-message|an unforeseen error has occured|there was a problem we could not recover from|the website encountered an unexpected error|mediawiki internal error|fatal exception of type|internal_api_error_`)},
	{"php_error", regexp.MustCompile(`(?i)<b>(fatal|parse) error</b>:|PHP (Fatal|Parse) error:|Uncaught \w*(Error|Exception)`)},
	{"php_warning", regexp.MustCompile(`<b>(Warning|Deprecated|Notice)</b>:`)},
	{"plugin_error", regexp.MustCompile(`(?i)failed to (load|init) plugin`)},
	{"php_source", regexp.MustCompile(`(?m)^<\?php\s`)},
	{"database_error", regexp.MustCompile(`(?i)error establishing a database connection|database error:|a database query error has occurred|cannot access the database`)},
	{"maintenance", regexp.MustCompile(`(?i)briefly unavailable for scheduled maintenance|is currently under maintenance\. we should be back shortly`)},
}

var digits = regexp.MustCompile(`[0-9]+`)

func read(body []byte) text {
	t := text{}
	for _, mark := range marks {
		if mark.pattern.Match(body) {
			t.markers = append(t.markers, mark.name)
		}
	}
	if bytes.Contains(bytes.ToLower(body[max(0, len(body)-4096):]), []byte("</html>")) {
		t.markers = append(t.markers, htmlEnd)
	}
	var words strings.Builder
	tokens := html.NewTokenizer(bytes.NewReader(body))
	hidden, inTitle := 0, false
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			t.words = digits.ReplaceAllString(strings.Join(strings.Fields(words.String()), " "), "0")
			return t
		case html.StartTagToken:
			name, _ := tokens.TagName()
			inTitle = string(name) == "title"
			hidden += invisible(name)
		case html.EndTagToken:
			name, _ := tokens.TagName()
			inTitle = false
			hidden = max(0, hidden-invisible(name))
		case html.TextToken:
			if inTitle && t.title == "" {
				t.title = strings.Join(strings.Fields(html.UnescapeString(string(tokens.Text()))), " ")
			} else if hidden == 0 {
				words.Write(tokens.Text())
				words.WriteByte(' ')
			}
		}
	}
}

// htmlEnd marks a page that was sent to its end.
const htmlEnd = "html_end"

func invisible(tag []byte) int {
	switch string(tag) {
	case "script", "style", "template", "noscript":
		return 1
	}
	return 0
}
