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
		check := upkeep.Check{Code: "page", Subject: was.Page.Path, OK: true}
		check.Want, check.Got = worse(was, is)
		check.OK = check.Got == ""
		checks = append(checks, check)
	}
	return checks
}

// worse returns what was wanted and found where is is worse than was, two
// empty strings where it is not.
func worse(was, is upkeep.Probe) (want, got string) {
	if was.Status >= 500 && is.Status > 0 && is.Status < 400 {
		// An update that heals a page is not to be undone for it.
		was = upkeep.Probe{Status: is.Status, Type: is.Type, FinalURL: is.FinalURL}
	}
	switch {
	case was.Status == 0:
		return "", ""
	case is.Status == 0:
		return fmt.Sprint(was.Status), or(is.Error, "no answer")
	case is.Status != was.Status:
		return fmt.Sprint(was.Status), fmt.Sprint(is.Status)
	}
	for _, mark := range is.Markers {
		if mark != htmlEnd && !slices.Contains(was.Markers, mark) {
			return "no " + mark, mark
		}
	}
	switch {
	case sameKind(is.Type) != sameKind(was.Type):
		return was.Type, or(is.Type, "no type")
	case slices.Contains(was.Markers, htmlEnd) && !slices.Contains(is.Markers, htmlEnd):
		return "whole page", "cut off after " + fmt.Sprint(is.Size) + " bytes"
	case was.Size > 0 && is.Size == 0:
		return fmt.Sprint(was.Size) + " bytes", "empty page"
	case was.Size > 2048 && is.Size < was.Size/3:
		return fmt.Sprint(was.Size) + " bytes", fmt.Sprint(is.Size) + " bytes"
	case !sameTitle(was.Title, is.Title):
		return "title " + was.Title, "title " + or(is.Title, "missing")
	case path(was.FinalURL) != path(is.FinalURL):
		return was.FinalURL, is.FinalURL
	}
	return "", ""
}

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

func or(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}
