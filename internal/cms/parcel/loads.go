package parcel

import (
	"context"
	"strings"

	"golang.org/x/sync/errgroup"

	"upkeep"
)

// checkLoads is the code of what Loads answers.
const checkLoads = "bootstrap"

// Loads is the check that a CMS loads, which holds until it is failed.
func Loads(subject string) upkeep.Check {
	check := upkeep.Check{Code: checkLoads, Subject: subject, OK: true}
	check.Expect(upkeep.Words("loads"))
	check.Get(check.Wanted())
	return check
}

// AtOnce returns what is kept answers and then what loading does, which are asked
// at the same time: the site is frozen.
func AtOnce(ctx context.Context, kept func() ([]upkeep.Check, error), load func(ctx context.Context) ([]upkeep.Check, error)) ([]upkeep.Check, error) {
	var checks, loaded []upkeep.Check
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		checks, err = kept()
		return err
	})
	group.Go(func() (err error) {
		loaded, err = load(ctx)
		return err
	})
	err := group.Wait()
	return append(checks, loaded...), err
}

// Died is why a script of ours that runs code of the site at root did not come
// to its end: an error of PHP in a file.
func Died(message, root, file, step string) error {
	return upkeep.Causef("%s in %s, at %s", message, strings.TrimPrefix(file, root+"/"), step)
}

// Ended is why, when the code of the site just ended it.
func Ended(step string) error { return upkeep.Causef("ends by itself at %s", step) }
