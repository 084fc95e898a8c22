package parcel

import (
	"strings"

	"upkeep"
)

// checkActive is the code of what Unchanged answers.
const checkActive = "active"

// Find returns the component of that kind and ID, or nil.
func Find(inv *upkeep.Inventory, like *upkeep.Component) *upkeep.Component {
	for i := range inv.Components {
		if c := &inv.Components[i]; c.Kind == like.Kind && c.ID == like.ID {
			return c
		}
	}
	return nil
}

// Unchanged compares which components are there and active, and for whom: a
// check for each whose state changed, or one for all.
func Unchanged(before, now *upkeep.Inventory) []upkeep.Check {
	var checks []upkeep.Check
	differ := func(c *upkeep.Component, want, got upkeep.Phrase) {
		checks = append(checks, Changed(c.Name, c.Ref(), want, got))
	}
	for i := range before.Components {
		c := &before.Components[i]
		if want, got := state(c), state(Find(now, c)); want != got {
			differ(c, want, got)
		}
	}
	for i := range now.Components {
		if c := &now.Components[i]; Find(before, c) == nil && (c.Active || c.Kind == upkeep.Plugin) {
			differ(c, absent, state(c))
		}
	}
	if checks == nil {
		checks = []upkeep.Check{{Code: checkActive, OK: true}}
	}
	return checks
}

// Changed is the check of a part of a component that is not on or off as it was.
func Changed(name, ref string, want, got upkeep.Phrase) upkeep.Check {
	check := upkeep.Check{Code: checkActive, Subject: name, Component: ref}
	check.Expect(want.Text())
	check.Get(got.Text())
	return check
}

const absent = upkeep.Phrase("absent")

// state is for whom a component is active, in words.
func state(c *upkeep.Component) upkeep.Phrase {
	switch {
	case c == nil:
		return absent
	case c.Network:
		return upkeep.Phrase("enabled for the network")
	case c.Active:
		return upkeep.Phrase("enabled")
	}
	return upkeep.Phrase("disabled")
}

// Culprit is the ref of the component that a file belongs to, "" for none.
// The longest path wins: every file is below that of core.
func Culprit(inv *upkeep.Inventory, file string) string {
	ref, longest := "", 0
	for i := range inv.Components {
		c := &inv.Components[i]
		if c.Kind == upkeep.Core || c.Kind == upkeep.Language || len(c.Path) <= longest {
			continue
		}
		if file == c.Path || strings.HasPrefix(file, c.Path+"/") {
			ref, longest = c.Ref(), len(c.Path)
		}
	}
	return ref
}
