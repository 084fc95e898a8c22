package intervention

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"upkeep"
)

// The culprit search. All batches are tried together first; when that fails
// the original is restored and the group is split in two (suspects apart from
// the rest, when the evidence names some), each part tried on top of what was
// found good. A group of one that fails is guilty, and what depends on it is
// dropped. With n batches and one culprit that takes about 2·log2(n) trials.

// begin returns the search that tries everything that could be staged.
func begin(batches []upkeep.Batch, refused map[string]error) upkeep.Search {
	search := upkeep.Search{Started: true}
	for _, batch := range batches {
		if slices.ContainsFunc(batch.Updates, func(u upkeep.Update) bool { return refused[u.Ref()] != nil }) {
			continue
		}
		search.Trying = append(search.Trying, batch.Number)
	}
	search.Trying = dependable(search.Trying, batches, nil)
	return search
}

// dependable returns those of numbers whose every requirement is in numbers
// or in kept, in their order.
func dependable(numbers []int, batches []upkeep.Batch, kept []int) []int {
	for {
		var able []int
		for _, number := range numbers {
			missing := slices.ContainsFunc(after(batches, number), func(need int) bool {
				return !slices.Contains(numbers, need) && !slices.Contains(kept, need)
			})
			if !missing {
				able = append(able, number)
			}
		}
		if len(able) == len(numbers) {
			return able
		}
		numbers = able
	}
}

func after(batches []upkeep.Batch, number int) []int {
	for _, batch := range batches {
		if batch.Number == number {
			return batch.After
		}
	}
	return nil
}

// pass returns the search after the group under trial was found good, with
// the next group to try on top of it.
func pass(s upkeep.Search, batches []upkeep.Batch) upkeep.Search {
	s.Kept = append(slices.Clone(s.Kept), s.Trying...)
	slices.Sort(s.Kept)
	s.Trying = nil
	if len(s.Pending) > 0 {
		s.Trials++
	}
	return choose(s, batches)
}

// choose takes the next group that can be tried. Members whose requirement is
// itself still to be tried wait behind it; those whose requirement is guilty
// are dropped.
func choose(s upkeep.Search, batches []upkeep.Batch) upkeep.Search {
	for waits := 0; len(s.Pending) > 0 && waits <= len(s.Pending); waits++ {
		group := without(s.Pending[0], s.Guilty)
		s.Pending = s.Pending[1:]
		s.Trying = dependable(group, batches, s.Kept)
		if rest := without(group, s.Trying); len(rest) > 0 && len(s.Pending) > 0 {
			s.Pending = append(slices.Clone(s.Pending), rest)
		}
		if len(s.Trying) > 0 {
			return s
		}
	}
	s.Pending = nil
	return s
}

// fail returns the search after the group under trial broke the site and the
// original is back, with the next group to try. Neither Trying nor Kept in
// the result means that nothing is left to apply.
func fail(s upkeep.Search, batches []upkeep.Batch, suspects []string) upkeep.Search {
	s.Trials++
	group := s.Trying
	s.Trying = nil
	switch {
	case len(group) == 0:
		// What was found good one by one does not work together again.
		s.Kept, s.Pending = nil, nil
		return s
	case len(group) == 1:
		s.Guilty = append(slices.Clone(s.Guilty), group[0])
	default:
		first, second := split(group, batches, suspects)
		s.Pending = append([][]int{first, second}, s.Pending...)
	}
	return choose(s, batches)
}

// split parts a group: what no evidence points at first, then the suspects;
// without useful evidence in halves.
func split(group []int, batches []upkeep.Batch, suspects []string) (first, second []int) {
	for _, number := range group {
		refs := refsOf(batches, []int{number})
		if slices.ContainsFunc(refs, func(ref string) bool { return slices.Contains(suspects, ref) }) {
			second = append(second, number)
		} else {
			first = append(first, number)
		}
	}
	if len(first) == 0 || len(second) == 0 {
		return group[:len(group)/2], group[len(group)/2:]
	}
	return first, second
}

func without(numbers, drop []int) []int {
	return slices.DeleteFunc(slices.Clone(numbers), func(n int) bool { return slices.Contains(drop, n) })
}

// refsOf returns the refs of the updates in the numbered batches, in the
// order of the batches.
func refsOf(batches []upkeep.Batch, numbers []int) []string {
	var refs []string
	for _, batch := range batches {
		if !slices.Contains(numbers, batch.Number) {
			continue
		}
		for _, update := range batch.Updates {
			refs = append(refs, update.Ref())
		}
	}
	return refs
}

// suspects are the components that the last failed checks name.
func suspects(iv *upkeep.Intervention) []string {
	var refs []string
	for _, check := range iv.Failed {
		if check.Component != "" {
			refs = append(refs, check.Component)
		}
	}
	return refs
}

// suspect finds the component that an error's text names by its path.
func (w *walk) suspect(err error) string {
	for _, batch := range w.iv.Batches {
		for _, update := range batch.Updates {
			if update.Component.Kind != upkeep.Core && names(err.Error(), update.Component.Path) {
				return update.Ref()
			}
		}
	}
	return ""
}

// names reports whether a text names something in path, which it may shorten
// to its last two elements. The folder of another component may begin with
// the same letters.
func names(text, path string) bool {
	short := filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path))
	for {
		_, after, found := strings.Cut(text, short)
		if !found {
			return false
		}
		if after == "" || strings.ContainsAny(after[:1], "/: ,;)'\"\n") {
			return true
		}
		text = after
	}
}

// noteFailure keeps the failed checks of the newest trial.
func noteFailure(iv *upkeep.Intervention, failures []upkeep.Check) {
	iv.Failed = failures[:min(len(failures), 20)]
	if len(iv.Search.Trying) == 1 {
		for _, ref := range refsOf(iv.Batches, iv.Search.Trying) {
			iv.Outcomes = append(iv.Outcomes, outcome(iv, ref, upkeep.Guilty, describe(iv.Failed)))
		}
	}
}

func describe(failures []upkeep.Check) upkeep.Text {
	if len(failures) == 0 {
		return upkeep.Text{}
	}
	first := failures[0]
	got := first.Gave()
	switch {
	case first.Subject != "":
		return upkeep.TextOf(upkeep.Causef("%s %s: %s", upkeep.Phrase(first.Code), first.Subject, got))
	case len(got.Args) == 2 && got.Args[0].String() == first.Code: // what went wrong while it was put in place says so itself
		return got.Args[1]
	}
	return got
}

func outcome(iv *upkeep.Intervention, ref string, result upkeep.Result, why upkeep.Text) upkeep.Outcome {
	o := upkeep.Outcome{Ref: ref, Result: result, Detail: why.String()}
	if o.Detail != "" {
		o.DetailText = &why
	}
	for _, batch := range iv.Batches {
		for _, update := range batch.Updates {
			if update.Ref() == ref {
				o.From, o.To = update.Component.Version, update.Release.Version
			}
		}
	}
	return o
}

// settleOutcomes says of every update what became of it.
func settleOutcomes(iv *upkeep.Intervention) {
	known := map[string]upkeep.Outcome{}
	for _, o := range iv.Outcomes {
		known[o.Ref] = o
	}
	kept := refsOf(iv.Batches, iv.Search.Kept)
	iv.Outcomes = nil
	for _, batch := range iv.Batches {
		for _, update := range batch.Updates {
			ref := update.Ref()
			o, said := known[ref]
			switch {
			case slices.Contains(kept, ref):
				o = outcome(iv, ref, upkeep.Applied, upkeep.Text{})
			case !said:
				o = outcome(iv, ref, upkeep.NotApplied, upkeep.Text{})
			}
			iv.Outcomes = append(iv.Outcomes, o)
		}
	}
}

// sameVersions refuses to go on when a component is not any more what the
// updates were decided for: somebody else changed the site.
func sameVersions(inventory *upkeep.Inventory, batches []upkeep.Batch) error {
	installed := map[string]upkeep.Version{}
	for i := range inventory.Components {
		installed[inventory.Components[i].Ref()] = inventory.Components[i].Version
	}
	for _, batch := range batches {
		for _, update := range batch.Updates {
			version, there := installed[update.Ref()]
			if !there || version != update.Component.Version {
				return upkeep.Errorf(upkeep.CodeConflict, "%s was %q when the update was decided and is %q now",
					update.Ref(), update.Component.Version, version).
					WithHint("Somebody else changes this site. Take the inventory again, then decide anew.")
			}
		}
	}
	return nil
}

func statusText(p upkeep.Probe) string {
	if p.Status == 0 {
		return p.Error
	}
	return fmt.Sprint(p.Status)
}
