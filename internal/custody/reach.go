package custody

import (
	"context"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/agent"
	"upkeep/internal/cms"
	"upkeep/internal/vault"
	"upkeep/internal/verify"
)

// Reached is a site in the hands of its agent, for one intervention.
type Reached struct {
	c      *Custody
	site   *upkeep.Site
	client *agent.Client
	held   upkeep.InterventionID // that it is reached for, 0 for work by hand
	layout *cms.Layout
	token  string
	pages  []upkeep.Page // of the site, once known
	warmed int64         // bytes that the vault grew by to make the next backup short
	proven bool          // a sample of what the vault had of the site was read back just now
	broken bool          // the site may be in ruins
	beat   context.CancelFunc
	letGo  func()         // of the vault's lock, where it is held
	holds  *vault.Holding // what the site has in the vault, once known
}

// Reach connects to the agent of a site. From now on until Close it hears
// from us regularly.
func (c *Custody) Reach(ctx context.Context, id upkeep.SiteID, progress func(upkeep.Progress)) (_ *Reached, err error) {
	return c.ReachFor(ctx, id, 0, progress)
}

// ReachFor is Reach for an intervention: what is done then never touches
// another one that has begun at the site meanwhile.
func (c *Custody) ReachFor(ctx context.Context, id upkeep.SiteID, held upkeep.InterventionID, progress func(upkeep.Progress)) (_ *Reached, err error) {
	defer upkeep.Wrap(&err, "reach site %s", id)
	site, err := c.Sites.Site(ctx, id)
	if err != nil {
		return nil, err
	}
	client, err := c.Connect(ctx, site)
	if err != nil {
		return nil, err
	}
	client.OnProgress(progress)
	if held != 0 {
		client.Hold(held)
	}
	r := &Reached{c: c, site: site, client: client, held: held}
	status, err := r.status(ctx)
	if err != nil {
		client.Close()
		return nil, err
	}
	r.token = status.Token
	beating, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.beat = stop
	go r.signs(beating, ctx)
	return r, nil
}

// signs tells the agent that we are there, as long as the work goes on.
func (r *Reached) signs(ctx, work context.Context) {
	tick := time.NewTicker(r.c.Silence / 6)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-work.Done():
			return
		case <-tick.C:
			if _, err := r.status(ctx); err != nil && ctx.Err() == nil {
				r.c.Log.Warn("agent does not answer", "site", r.site.Name, "error", err)
			}
		}
	}
}

func (r *Reached) status(ctx context.Context) (*agent.Status, error) {
	var known *cms.Database
	if layout, err := r.c.layout(ctx, r.site.ID); err == nil {
		known = layout.Database
	}
	status, err := r.client.Status(ctx, known)
	if err == nil && r.held != 0 && status.Open && status.Intervention != r.held {
		return &agent.Status{Protocol: status.Protocol, PID: status.PID, Root: status.Root}, nil
	}
	return status, err
}

// survey takes the inventory of a site that is still the one that is kept.
func (r *Reached) survey(ctx context.Context) (*agent.Survey, error) {
	survey, err := r.client.Inventory(ctx)
	if err != nil {
		return nil, err
	}
	return survey, same(r.site, survey.Layout)
}

// detect asks where the site keeps what, when it is still the one that is kept.
func (r *Reached) detect(ctx context.Context) (*cms.Layout, error) {
	layout, err := r.client.Detect(ctx)
	if err != nil {
		return nil, err
	}
	return layout, same(r.site, layout)
}

// same fails where a folder now looks like something else than the site that
// is kept: what is left of a CMS may be taken for another one.
func same(site *upkeep.Site, layout *cms.Layout) error {
	if site.CMS == layout.CMS {
		return nil
	}
	return upkeep.Errorf(upkeep.CodeInvalid, "the folder holds %s now, no %s", layout.CMS, site.CMS).
		WithHint("Restore site %s from a backup, or remove it and add what is there now.", site.Name)
}

// Close lets go of the agent.
func (r *Reached) Close() {
	r.beat()
	r.client.Close()
	if r.letGo != nil {
		r.letGo()
	}
}

// Open begins the intervention and returns the inventory it begins with.
func (r *Reached) Open(ctx context.Context, id upkeep.InterventionID, maxFrozen time.Duration) (*upkeep.Inventory, error) {
	survey, err := r.survey(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.c.keepLayout(ctx, r.site.ID, survey.Layout); err != nil {
		return nil, err
	}
	if r.token == "" {
		r.token = newToken()
	}
	err = r.client.Open(ctx, agent.OpenRequest{
		Intervention: id, Layout: survey.Layout, Token: r.token, URL: r.site.URL, PHPLog: r.site.Policy.PHPLog,
		MaxFrozen: upkeep.Duration(maxFrozen), Silence: upkeep.Duration(r.c.Silence),
	})
	r.layout = survey.Layout
	inventory := r.withPages(survey.Inventory)
	r.pages = inventory.Pages
	return inventory, err
}

// withPages adds the pages that the policy names.
func (r *Reached) withPages(inventory *upkeep.Inventory) *upkeep.Inventory {
	for _, path := range r.site.Policy.ExtraPages {
		inventory.Pages = append(inventory.Pages, upkeep.Page{Path: path, Role: "extra"})
	}
	return inventory
}

// Stage brings the package of an update to the agent and has it checked. It
// returns what else of the site the update concerns.
func (r *Reached) Stage(ctx context.Context, update upkeep.Update) ([]upkeep.Finding, error) {
	layout, err := r.c.layout(ctx, r.site.ID)
	if err != nil {
		return nil, err
	}
	path, sum, err := r.c.Package(ctx, layout.Unlocked(update.Release))
	if err != nil {
		return nil, err
	}
	if err := r.client.Send(ctx, path, sum); err != nil {
		return nil, err
	}
	result, err := r.client.Stage(ctx, agent.StageRequest{Update: update, SHA256: sum})
	if err != nil {
		return nil, err
	}
	return result.Findings, nil
}

// Freeze closes the gate, and makes sure that visitors meet it. Those who were
// still let in meanwhile are waited for again: only then nothing is written.
func (r *Reached) Freeze(ctx context.Context) (time.Time, error) {
	if r.held != 0 { // a backup follows
		if err := r.holdVault(ctx); err != nil {
			return time.Time{}, err
		}
	}
	for {
		frozen, err := r.client.Freeze(ctx, r.site.Policy.DrainTimeout)
		if err != nil {
			return time.Time{}, err
		}
		if waited, err := r.refuses(ctx); err != nil || !waited {
			return frozen.At, err
		}
	}
}

// unavailable is the HTTP status of a closed site.
const unavailable = 503

// refuses waits until the site answers visitors 503, or not at all, and says
// whether it had to. A cache of code may need some seconds to see the gate. A
// site that is broken refuses visitors in its own way, before it comes to the
// gate.
func (r *Reached) refuses(ctx context.Context) (waited bool, err error) {
	page := []upkeep.Page{{Path: "/", Role: "home"}}
	for _, known := range r.pages {
		if known.Role == "api" { // no page cache answers for it
			page[0] = known
		}
	}
	for wait := 50 * time.Millisecond; ; wait *= 2 {
		probes, err := r.Probe(ctx, page, false)
		if err != nil {
			return waited, err
		}
		status := probes[0].Status
		if status == 0 || status == unavailable || r.broken && status >= 400 {
			return waited, nil
		}
		waited = true
		if wait > 4*time.Second {
			address := strings.TrimSuffix(r.site.URL, "/") + page[0].Path
			return waited, upkeep.Errorf(upkeep.CodeConflict, "visitors of %s get %d although the gate is closed", address, status).
				WithHint("Does the address lead to this folder? Does a cache in front of the site answer for it?")
		}
		select {
		case <-ctx.Done():
			return waited, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// Apply puts staged updates in place and migrates.
func (r *Reached) Apply(ctx context.Context, refs []string) error { return r.client.Apply(ctx, refs) }

// ReadBack checks what Apply did.
func (r *Reached) ReadBack(ctx context.Context, refs []string) ([]upkeep.Check, error) {
	return r.client.ReadBack(ctx, refs)
}

// Undo gives back the original. The vault is connected, for files that code
// of the site changed. Most undos need nothing of it: one that cannot be
// reached, or is full, does not keep the site frozen.
func (r *Reached) Undo(ctx context.Context) (*upkeep.Identity, error) {
	status, err := r.status(ctx)
	if err != nil {
		return nil, err
	}
	if !status.Changed {
		return status.Identity, nil
	}
	defer r.c.hurry()()
	release, err := r.serveFrozen(ctx)
	if err != nil {
		r.c.Log.Warn("undo without the vault", "site", r.site.Name, "error", err)
	}
	defer release()
	return r.client.Undo(ctx)
}

// How long a lock of the vault is waited for, which a prune may hold for hours:
// by an undo, and before a site is frozen.
const (
	undoPatience   = 5 * time.Second
	freezePatience = 2 * time.Minute
)

// lockSoon is Lock without waiting for longer than patience.
func lockSoon(ctx context.Context, repository *vault.Repository, patience time.Duration) (context.Context, func(), error) {
	waiting, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(patience, cancel)
	held, unlock, err := repository.Lock(waiting)
	if !timer.Stop() && err == nil { // it came in the last moment
		unlock()
		err = context.DeadlineExceeded
	}
	if err != nil {
		cancel()
		return nil, nil, err
	}
	return held, func() { unlock(); cancel() }, nil
}

// holdVault keeps whoever wants the vault alone, to prune it, from beginning
// before Close: a frozen site would wait for the end of it with its backup.
// What else keeps the lock from being taken, the backup meets too and tells.
func (r *Reached) holdVault(ctx context.Context) (err error) {
	defer upkeep.Wrap(&err, "hold the vault")
	defer r.c.hurry()() // a storage that is gone is no reason to wait
	repository, err := r.c.vault(ctx)
	if err != nil || r.letGo != nil {
		return err
	}
	_, release, err := lockSoon(context.WithoutCancel(ctx), repository, freezePatience)
	if code := upkeep.CodeOf(err); code == upkeep.CodeConflict || code == upkeep.CodeUnreachable {
		return err
	}
	if err != nil {
		r.c.Log.Warn("freeze without a lock of the vault", "site", r.site.Name, "error", err)
		return nil
	}
	r.letGo = release
	return nil
}

// serveFrozen connects the vault for an undo. It reads only: on a full disk,
// where a lock cannot be written, or while a prune holds the vault, it does
// without.
func (r *Reached) serveFrozen(ctx context.Context) (release func(), err error) {
	short, cancel := context.WithTimeout(ctx, undoPatience)
	defer cancel()
	repository, err := r.c.vault(short)
	if err != nil {
		return func() {}, err
	}
	held, release, err := lockSoon(ctx, repository, undoPatience)
	if err != nil {
		r.c.Log.Warn("undo without a lock of the vault", "site", r.site.Name, "error", err)
		held, release = ctx, func() {}
	}
	again, cancel := context.WithTimeout(held, undoPatience)
	defer cancel()
	trees, err := r.frozenTrees(again, repository)
	if err != nil {
		return release, err
	}
	return release, r.client.ServeBlobs(held, vault.Scoped(repository, trees))
}

// frozenTrees are what an undo may need: the newest backups of this site that
// were made while it was frozen, and of no other site.
func (r *Reached) frozenTrees(ctx context.Context, repository *vault.Repository) ([]vault.ID, error) {
	backups, err := r.c.Backups.Backups(ctx, upkeep.BackupFilter{Site: r.site.ID, Limit: 8})
	if err != nil {
		return nil, err
	}
	var trees []vault.ID
	for _, b := range backups {
		id, err := vault.ParseID(b.Snapshot)
		if err != nil || !b.Frozen {
			continue
		}
		snapshot, err := repository.Snapshot(ctx, id)
		if err != nil { // an older one, pruned by restic meanwhile, does not take the newest away
			r.c.Log.Warn("a backup is not in the vault", "backup", b.ID, "error", err)
			continue
		}
		trees = append(trees, *snapshot.Tree)
	}
	return trees, nil
}

// Warm reads the live site into the vault, files and database.
func (r *Reached) Warm(ctx context.Context) error {
	warm, err := r.read(ctx, agent.ReadRequest{Layout: r.layout, Warm: true})
	if err == nil {
		r.warmed = warm.Added
	}
	return err
}

// Backup makes, verifies and records a backup.
func (r *Reached) Backup(ctx context.Context, id upkeep.InterventionID, moment upkeep.Moment) (*upkeep.Backup, error) {
	request := agent.ReadRequest{Secure: moment == upkeep.Before}
	if moment == upkeep.After { // the layout may be another now
		survey, err := r.survey(ctx)
		if err != nil {
			return nil, err
		}
		request.Layout = survey.Layout
	}
	return r.backup(ctx, request, &upkeep.Backup{
		Site: r.site.ID, Intervention: id, Moment: moment, Frozen: moment == upkeep.Before,
	})
}

// reading is what came of having a site read into the vault.
type reading struct {
	*agent.ReadResult
	added int64
}

// read has the agent read into the vault, and reads back what was written.
func (r *Reached) read(ctx context.Context, request agent.ReadRequest) (*reading, error) {
	repository, held, release, err := r.c.lockVault(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	return r.readInto(held, repository, request)
}

// readBack bounds how many stored bytes of what was there already are read
// back with each backup, or once for both backups of an intervention, besides
// all that they added.
const readBack = 256 << 20

// readInto reads a site and proves that the vault has all of it. What turns
// out to be damaged in the vault is stored anew, once.
func (r *Reached) readInto(ctx context.Context, repository *vault.Repository, request agent.ReadRequest) (*reading, error) {
	for again := false; ; again = true {
		result, err := r.readProven(ctx, repository, request)
		if upkeep.CodeOf(err) != upkeep.CodeDamaged || again {
			return result, err
		}
		r.c.Log.Warn("the vault is damaged, storing anew what is", "site", r.site.Name, "error", err)
	}
}

func (r *Reached) readProven(ctx context.Context, repository *vault.Repository, request agent.ReadRequest) (*reading, error) {
	holding, err := r.holding(ctx, repository)
	if err != nil {
		return nil, err
	}
	var blobs vault.Blobs = repository
	if r.site.Host != 0 {
		blobs = &paced{repository, r.c.Transfer}
	}
	if err := r.client.ServeBlobs(ctx, holding.Of(blobs)); err != nil {
		return nil, err
	}
	request.Polynomial = uint64(repository.Polynomial())
	result, err := r.client.Read(ctx, request)
	if err != nil {
		return nil, err
	}
	written, err := repository.Flush(ctx)
	if err != nil {
		return nil, err
	}
	if err := repository.VerifyBlobs(ctx, written); err != nil {
		return nil, err
	}
	tree, err := vault.ParseID(result.Tree)
	if err != nil {
		return nil, err
	}
	options := vault.VerifyOptions{Sample: 1, Limit: readBack, Except: written, Within: holding}
	if request.Secure || r.proven { // again, it would be read from the system's cache
		options.Sample = 0
	}
	if _, err := repository.VerifyTree(ctx, tree, options); err != nil {
		return nil, err
	}
	r.proven = r.proven || request.Warm
	return &reading{ReadResult: result, added: result.Added}, nil
}

func (r *Reached) backup(ctx context.Context, request agent.ReadRequest, b *upkeep.Backup) (*upkeep.Backup, error) {
	if b.Frozen { // nobody's bandwidth is worth a visitor's time
		defer r.c.hurry()()
	}
	repository, held, release, err := r.c.lockVault(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	result, err := r.readInto(held, repository, request)
	if err != nil {
		return nil, err
	}
	tree, err := vault.ParseID(result.Tree)
	if err != nil {
		return nil, err
	}
	snapshot := &vault.Snapshot{
		Time: result.Taken, Tree: &tree, Paths: []string{r.site.Root}, ProgramVersion: "upkeep",
		Tags: []string{vault.SiteTag(r.site.Name), vault.MomentTag(b.Moment)},
	}
	if b.Intervention != 0 {
		snapshot.Tags = append(snapshot.Tags, vault.InterventionTag(b.Intervention))
	}
	if err := repository.SaveSnapshot(held, snapshot); err != nil {
		return nil, err
	}
	if _, err := repository.Snapshot(held, snapshot.ID); err != nil {
		return nil, err
	}
	b.Snapshot, b.Taken, b.Manifest = snapshot.ID.String(), result.Taken, result.Manifest
	b.Files, b.Bytes, b.Added, b.Tables = result.Files, result.Bytes, result.added+r.warmed, result.Tables
	r.warmed = 0
	b.Complete, b.Verified = true, r.c.Now().UTC()
	if err := r.c.Backups.CreateBackup(ctx, b); err != nil {
		return nil, err
	}
	r.c.letHoldingGo(r.site.ID)
	return b, nil
}

// Probe looks at pages, through the closed gate or as visitors do.
func (r *Reached) Probe(ctx context.Context, pages []upkeep.Page, through bool) ([]upkeep.Probe, error) {
	token := ""
	if through {
		token = r.token
	}
	return r.c.Verifier.Look(ctx, r.site.URL, pages, token)
}

// Commit keeps the changes.
func (r *Reached) Commit(ctx context.Context) error { return r.client.Commit(ctx) }

// Thaw opens the gate. Nothing is to be opened when nothing is open at the
// agent, or another intervention.
func (r *Reached) Thaw(ctx context.Context) error { return r.whenOpen(ctx, r.client.Thaw) }

// Finish removes what the intervention needed on the host.
func (r *Reached) Finish(ctx context.Context) error { return r.whenOpen(ctx, r.client.Finish) }

func (r *Reached) whenOpen(ctx context.Context, do func(context.Context) error) error {
	status, err := r.status(ctx)
	if err != nil || !status.Open {
		return err
	}
	return do(ctx)
}

// Compare judges the pages now, seen through the closed gate.
func (r *Reached) Compare(ctx context.Context, before []upkeep.Probe) ([]upkeep.Check, error) {
	var pages []upkeep.Page
	for _, probe := range before {
		pages = append(pages, probe.Page)
	}
	after, err := r.Probe(ctx, pages, true)
	if err != nil {
		return nil, err
	}
	return verify.Compare(before, after), nil
}

// Standing says what the agent last did: whether a journal is open, whether
// the site is frozen, and why the agent acted alone, "" when it did not.
func (r *Reached) Standing(ctx context.Context) (open, frozen bool, alone string, err error) {
	status, err := r.status(ctx)
	if err != nil {
		return false, false, "", err
	}
	return status.Open, status.Frozen, status.Alone, nil
}
