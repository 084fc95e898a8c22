package wave

import (
	"maps"
	"slices"

	"upkeep"
)

// feature is something that sites have in common: a combination of branches of
// CMS and PHP, or an extension.
type feature struct {
	core, php upkeep.Version
	extension string
}

// features are those of a site, but for the component that is updated, which
// all have.
func features(component string, env *upkeep.Environment) []feature {
	found := []feature{{core: env.Core.Branch(), php: env.PHP.Branch()}}
	for ref := range env.Extensions {
		if ref != component {
			found = append(found, feature{extension: ref})
		}
	}
	return found
}

// Assess says what is known of a release by what was proven of it.
func Assess(component string, version upkeep.Version, evidence []upkeep.Evidence) upkeep.Confidence {
	c := upkeep.Confidence{Component: component, Version: version}
	var failed, applied []upkeep.Environment
	for _, e := range upkeep.Latest(evidence) {
		switch e.Result {
		case upkeep.Applied:
			applied = append(applied, e.Environment)
		case upkeep.Guilty:
			failed = append(failed, e.Environment)
		default:
			c.Spared++
		}
	}
	c.Applied, c.Failed = len(applied), len(failed)
	c.Fails = Blame(component, failed, applied)
	return c
}

// Blame says what the environments in which a release fails have in common
// that none has in which it works: as little as tells them apart, else all that
// they have in common. Nil when it fails nowhere.
func Blame(component string, failed, works []upkeep.Environment) *upkeep.Combination {
	if len(failed) == 0 {
		return nil
	}
	shared := traits(component, &failed[0])
	for i := range failed[1:] {
		other := traits(component, &failed[i+1])
		shared = slices.DeleteFunc(shared, func(t trait) bool { return !slices.Contains(other, t) })
	}
	if len(works) == 0 {
		return combine(shared)
	}
	have := make([][]trait, len(works))
	for i := range works {
		have[i] = traits(component, &works[i])
	}
	tellsApart := func(some ...trait) bool {
		return !slices.ContainsFunc(have, func(all []trait) bool {
			return !slices.ContainsFunc(some, func(t trait) bool { return !slices.Contains(all, t) })
		})
	}
	var alone []trait
	for _, t := range shared {
		if tellsApart(t) {
			alone = append(alone, t)
		}
	}
	if alone != nil {
		return combine(alone)
	}
	for i, a := range shared {
		for _, b := range shared[i+1:] {
			if tellsApart(a, b) {
				return combine([]trait{a, b})
			}
		}
	}
	return combine(shared)
}

// trait is one thing that a site has: a branch of the CMS, of PHP or of its
// database, or an extension.
type trait struct{ kind, value string }

const (
	traitExtension = "extension"
	traitPHP       = "php"
	traitCore      = "core"
	traitDatabase  = "database"
)

// traits are those of an environment, extensions first.
func traits(component string, env *upkeep.Environment) []trait {
	var found []trait
	for _, ref := range slices.Sorted(maps.Keys(env.Extensions)) {
		if ref != component {
			found = append(found, trait{traitExtension, ref})
		}
	}
	if env.PHP != "" {
		found = append(found, trait{traitPHP, string(env.PHP.Branch())})
	}
	if env.Core != "" {
		found = append(found, trait{traitCore, string(env.Core.Branch())})
	}
	if env.Database != "" {
		found = append(found, trait{traitDatabase, string(upkeep.Version(env.Database).Branch())})
	}
	return found
}

func combine(some []trait) *upkeep.Combination {
	c := &upkeep.Combination{}
	for _, t := range some {
		switch t.kind {
		case traitPHP:
			c.PHP = upkeep.Version(t.value)
		case traitCore:
			c.Core = upkeep.Version(t.value)
		case traitDatabase:
			c.Database = upkeep.Version(t.value)
		default:
			c.Extensions = append(c.Extensions, t.value)
		}
	}
	return c
}
