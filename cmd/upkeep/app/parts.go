package app

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/agent/process"
	"upkeep/internal/custody"
	"upkeep/internal/feed"
	"upkeep/internal/intervention"
	"upkeep/internal/ledger"
	"upkeep/internal/store"
	"upkeep/internal/web"
)

// answers keeps publishers' answers in the records.
type answers struct{ store.FeedAnswers }

// Get returns a kept answer.
func (a answers) Get(ctx context.Context, key string) (entry feed.Entry, err error) {
	body, _, _, ok, err := a.FeedAnswers.Get(ctx, key)
	if err != nil {
		return entry, err
	}
	if !ok {
		return entry, upkeep.Errorf(upkeep.CodeNotFound, "no answer %s", key)
	}
	return entry, json.Unmarshal(body, &entry)
}

// Put keeps an answer.
func (a answers) Put(ctx context.Context, key string, entry feed.Entry) error {
	body, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	return a.FeedAnswers.Put(ctx, key, body, entry.ETag, entry.Fetched)
}

// reacher is custody as interventions see it.
type reacher struct{ *custody.Custody }

// Reach connects to the agent of a site.
func (r reacher) Reach(ctx context.Context, iv *upkeep.Intervention, progress func(upkeep.Progress)) (intervention.Agent, error) {
	return r.Custody.ReachFor(ctx, iv.Site, iv.ID, progress)
}

// consequences keeps what interventions lead to.
type consequences struct {
	*store.DB
	ledger *ledger.Ledger
}

// Enter writes a line of the ledger.
func (c consequences) Enter(ctx context.Context, site upkeep.SiteID, kind string, facts map[string]any) error {
	_, err := c.ledger.Append(ctx, upkeep.LedgerEntry{Site: site, Actor: "upkeep", Kind: kind, Facts: facts})
	return err
}

// doctor examines this machine.
type doctor struct{ *app }

// minimumFree is the space below which backups will soon fail.
const minimumFree = 1 << 30

// Requirements lists what the program needs here.
func (d doctor) Requirements(ctx context.Context) ([]web.Requirement, error) {
	php, modules, err := process.Version(ctx)
	list := []web.Requirement{
		{Name: "php", OK: err == nil, Detail: php, Fix: "apt-get install php-cli"},
		{Name: "mysqli", OK: modules["mysqli"], Fix: "apt-get install php-mysql"},
		{Name: "state_folder", OK: private(d.Dir), Detail: d.Dir, Fix: "chmod 700 " + d.Dir},
		{Name: "root", OK: os.Geteuid() == 0, Optional: true, Fix: "sudo upkeep …"},
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(d.Dir, &fs); err != nil {
		return nil, err
	}
	free := int64(fs.Bavail) * fs.Bsize
	list = append(list, web.Requirement{Name: "disk", OK: free > minimumFree, Detail: fmt.Sprintf("%d MB", free>>20), Fix: "df -h " + d.Dir})
	restic := web.Requirement{Name: "restic", Optional: true, Fix: "apt-get install restic"}
	if path := find("restic"); path != "" {
		restic.OK, restic.Detail = true, path
	}
	return onlyNeeded(append(list, restic)), nil
}

// private reports whether we can write in a folder and others cannot enter.
func private(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.Mode().Perm()&0o077 == 0 && unix.Access(dir, unix.W_OK) == nil
}

// onlyNeeded takes the remedy from what needs none.
func onlyNeeded(list []web.Requirement) []web.Requirement {
	for i := range list {
		if list[i].OK {
			list[i].Fix = ""
		}
	}
	return list
}
