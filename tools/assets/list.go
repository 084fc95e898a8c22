package main

import (
	"strings"

	"upkeep"
)

// fetched is a package and what is taken from it.
type fetched struct {
	name, version, integrity string
	take                     []taken
	icons                    []string // that are put into one sprite
}

// taken is one file of a package.
type taken struct {
	from  string // path in the package
	to    string // name that it has here
	tests bool   // it is for the tests' browser, not for the program
}

// parse reads the list: a line "package NAME VERSION INTEGRITY" for each
// package, then lines "file PATH NAME", "test PATH NAME" and "icons NAME…"
// that say what is taken of it.
func parse(text string) ([]fetched, error) {
	var all []fetched
	for number, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		verb, rest := words[0], words[1:]
		last := len(all) - 1
		switch {
		case verb == "package" && len(rest) == 3:
			all = append(all, fetched{name: rest[0], version: rest[1], integrity: rest[2]})
		case (verb == "file" || verb == "test") && len(rest) == 2 && last >= 0:
			all[last].take = append(all[last].take, taken{rest[0], rest[1], verb == "test"})
		case verb == "icons" && last >= 0:
			all[last].icons = append(all[last].icons, rest...)
		default:
			return nil, upkeep.Errorf(upkeep.CodeInvalid, "%s:%d: %q is none of package, file, test, icons", listFile, number+1, line)
		}
	}
	return all, nil
}
