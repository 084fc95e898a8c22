package verify

import (
	"fmt"
	"slices"
	"strings"

	"upkeep"
)

// Compare judges pages now against what they were before. There is one check
// a page, failing on the first thing that is worse: an answer, its status,
// where it led, an error text, a page cut short, a much smaller page, another
// title. Pages that were broken before may stay as broken.
func Compare(before, after []upkeep.Probe) []upkeep.Check {
	now := map[upkeep.Page]upkeep.Probe{}
	for _, probe := range after {
		now[probe.Page] = probe
	}
	var checks []upkeep.Check
	for _, was := range before {
		is := now[was.Page]
		check := upkeep.Check{Code: "page", Subject: was.Page.String(), OK: true}
		if want, got, bad := worse(was, is); bad {
			check.OK = false
			check.Expect(want)
			check.Get(got)
		}
		checks = append(checks, check)
	}
	return checks
}

// worse returns what was wanted and found where is is worse than was.
func worse(was, is upkeep.Probe) (want, got upkeep.Text, bad bool) {
	if was.Status >= 500 && is.Status > 0 && is.Status < 400 {
		// An update that heals a page is not to be undone for it.
		was = upkeep.Probe{Status: is.Status, Type: is.Type, FinalURL: is.FinalURL}
	}
	switch {
	case was.Status == 0:
		return want, got, false
	case is.Status == 0:
		return value(was.Status), is.Said(), true
	case is.Status != was.Status:
		return value(was.Status), value(is.Status), true
	}
	for _, mark := range is.Markers {
		if mark != htmlEnd && !slices.Contains(was.Markers, mark) {
			return upkeep.Words("no %s", mark), value(mark), true
		}
	}
	return smaller(was, is)
}

// smaller goes on where worse has looked: at what a page is and says.
func smaller(was, is upkeep.Probe) (want, got upkeep.Text, bad bool) {
	switch {
	case sameKind(is.Type) != sameKind(was.Type):
		if is.Type == "" {
			return value(was.Type), upkeep.Words("no type"), true
		}
		return value(was.Type), value(is.Type), true
	case slices.Contains(was.Markers, htmlEnd) && !slices.Contains(is.Markers, htmlEnd):
		return upkeep.Words("whole page"), upkeep.Words("cut off after %d bytes", is.Size), true
	case was.Size > 0 && is.Size == 0:
		return upkeep.Words("%d bytes", was.Size), upkeep.Words("empty page"), true
	case was.Size > 2048 && is.Size < was.Size/3:
		return upkeep.Words("%d bytes", was.Size), upkeep.Words("%d bytes", is.Size), true
	case !sameTitle(was.Title, is.Title):
		if is.Title == "" {
			return upkeep.Words("title %s", was.Title), upkeep.Words("title missing"), true
		}
		return upkeep.Words("title %s", was.Title), upkeep.Words("title %s", is.Title), true
	case path(was.FinalURL) != path(is.FinalURL):
		return value(was.FinalURL), value(is.FinalURL), true
	}
	return want, got, false
}

// value is said the same in every language.
func value(v any) upkeep.Text { return upkeep.Text{Plain: fmt.Sprint(v)} }

// sameTitle allows a title to be reworded, as login pages are between
// versions, but not to disappear or to become another page's.
func sameTitle(was, is string) bool {
	if was == is || was == "" {
		return true
	}
	shared := 0
	words := strings.FieldsFunc(strings.ToLower(was), notWord)
	others := strings.FieldsFunc(strings.ToLower(is), notWord)
	for _, word := range words {
		if slices.Contains(others, word) {
			shared++
		}
	}
	return 2*shared >= len(words)
}

// sameKind gives one name to media types that mean the same: a release may well
// begin to call its feeds text/xml.
func sameKind(media string) string {
	switch media {
	case "text/xml", "application/rss+xml", "application/atom+xml", "application/rdf+xml":
		return "application/xml"
	case "application/javascript", "application/x-javascript":
		return "text/javascript"
	}
	return media
}

func notWord(r rune) bool { return strings.ContainsRune(" \t-–—|·•‹›«»:,.!?", r) }

func path(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return address
}
