// Package constraint reads versions and what is asked of them as Composer
// does: "^9.5 || ^10" is how modules of Drupal say which core they run on.
package constraint

import (
	"regexp"
	"strings"

	"upkeep"
)

// modifier is what may follow the numbers of a version.
const modifier = `[._-]?(?:(stable|beta|b|rc|alpha|a|patch|pl|p)((?:[.-]?\d+)*)?)?([.-]?dev)?`

var (
	alias     = regexp.MustCompile(`^([^,\s]+) +as +([^,\s]+)$`)
	flag      = regexp.MustCompile(`(?i)@(?:stable|rc|beta|alpha|dev)$`)
	build     = regexp.MustCompile(`^([^,\s+]+)\+\S+$`)
	classical = regexp.MustCompile(`(?i)^v?(\d{1,5})(\.\d+)?(\.\d+)?(\.\d+)?` + modifier + `$`)
	dated     = regexp.MustCompile(`(?i)^v?(\d{4}(?:[.:-]?\d{2}){1,6}(?:[.:-]?\d{1,3})?)` + modifier + `$`)
	devBranch = regexp.MustCompile(`(?i)^(.*?)[.-]?dev$`)
	branch    = regexp.MustCompile(`(?i)^v?(\d+)(\.(?:\d+|[x*]))?(\.(?:\d+|[x*]))?(\.(?:\d+|[x*]))?$`)
	noDigit   = regexp.MustCompile(`\D`)
	stability = regexp.MustCompile(`(?i)` + modifier + `(?:\+.*)?$`)
)

// unstable is the number that stands for any in a branch.
const unstable = ".9999999"

// Normalize writes a version with four numbers and its stability, as Composer
// compares it: 1.0-beta1 is 1.0.0.0-beta1. CodeInvalid for what is none.
func Normalize(version string) (string, error) {
	version = strings.TrimSpace(version)
	original := version
	if match := alias.FindStringSubmatch(version); match != nil {
		version = match[1]
	}
	version = flag.ReplaceAllString(version, "")
	if version == "master" || version == "trunk" || version == "default" {
		version = "dev-" + version
	}
	if len(version) >= 4 && strings.EqualFold(version[:4], "dev-") {
		return "dev-" + version[4:], nil
	}
	if match := build.FindStringSubmatch(version); match != nil {
		version = match[1]
	}
	if match := classical.FindStringSubmatch(version); match != nil {
		numbers := match[1]
		for _, part := range match[2:5] {
			if part == "" {
				part = ".0"
			}
			numbers += part
		}
		return modified(numbers, match[5:]), nil
	}
	if match := dated.FindStringSubmatch(version); match != nil {
		return modified(noDigit.ReplaceAllString(match[1], "."), match[2:]), nil
	}
	if match := devBranch.FindStringSubmatch(version); match != nil {
		if numbers := numericBranch(match[1]); numbers != "" {
			return numbers, nil
		}
	}
	return "", upkeep.Errorf(upkeep.CodeInvalid, "%q is no version", original)
}

// modified adds stability, its number and -dev to numbers.
func modified(numbers string, parts []string) string {
	if parts[0] != "" && parts[0] != "0" {
		if parts[0] == "stable" {
			return numbers
		}
		numbers += "-" + expanded(parts[0]) + strings.TrimLeft(parts[1], ".-")
	}
	if parts[2] != "" {
		numbers += "-dev"
	}
	return numbers
}

// expanded is the long form of a stability.
func expanded(word string) string {
	switch word = strings.ToLower(word); word {
	case "a":
		return "alpha"
	case "b":
		return "beta"
	case "p", "pl":
		return "patch"
	case "rc":
		return "RC"
	}
	return word
}

// numericBranch is the version of a branch such as 1.0.x, "" for one that has
// a name.
func numericBranch(name string) string {
	match := branch.FindStringSubmatch(strings.TrimSpace(name))
	if match == nil {
		return ""
	}
	version := match[1]
	for _, part := range match[2:] {
		if part == "" || strings.ContainsAny(part, "xX*") {
			part = unstable
		}
		version += part
	}
	return version + "-dev"
}

// Stability is "stable", "RC", "beta", "alpha" or "dev".
func Stability(version string) string {
	version, _, _ = strings.Cut(version, "#")
	if strings.HasPrefix(version, "dev-") || strings.HasSuffix(version, "-dev") {
		return "dev"
	}
	match := stability.FindStringSubmatch(strings.ToLower(version))
	switch {
	case match == nil:
	case match[3] != "":
		return "dev"
	case match[1] == "beta", match[1] == "b":
		return "beta"
	case match[1] == "alpha", match[1] == "a":
		return "alpha"
	case match[1] == "rc":
		return "RC"
	}
	return "stable"
}
