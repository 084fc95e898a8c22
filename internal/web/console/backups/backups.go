// Package backups shows the backups of a site, makes one, reads one back, and
// restores one after it has said what would change.
package backups

import (
	"context"
	"embed"

	"upkeep"
	"upkeep/internal/overview"
	"upkeep/internal/web"
	"upkeep/internal/web/console/frame"
)

//go:embed *.html
var files embed.FS

// Records is what is kept of backups.
type Records interface {
	Backups(ctx context.Context, filter upkeep.BackupFilter) ([]*upkeep.Backup, error)
}

// Lines finds a site.
type Lines interface {
	Line(ctx context.Context, name string) (*overview.SiteLine, error)
}

// Config is what the pages answer from.
type Config struct {
	Lines    Lines
	Records  Records
	Backups  web.Backups
	Restores web.Restores
}

// Page is the list of a site, and the page of each.
type Page struct {
	Config
	list, show, restore, restored *frame.View
}

// New returns the pages.
func New(f *frame.Frame, c Config) (*Page, error) {
	p := &Page{Config: c}
	for name, view := range map[string]**frame.View{"backups.html": &p.list, "backup.html": &p.show, "restore.html": &p.restore, "restored.html": &p.restored} {
		var err error
		if *view, err = f.View(files, name); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// head is the head of a page about backups of a site.
func head(v *frame.Visit, site, title string) frame.Head {
	return frame.Head{Title: title, Place: "fleet", Trail: []frame.Crumb{{Title: v.Texts.Text("console.nav.fleet"), Path: "/sites"}, {Title: site, Path: "/sites/" + site}}}
}

// content is what the list shows.
type content struct {
	Site    string
	Backups []*upkeep.Backup
	Works   bool
}

// List answers with all backups of a site.
func (p *Page) List(v *frame.Visit) error {
	line, err := p.Lines.Line(v.R.Context(), v.R.PathValue("site"))
	if err != nil {
		return err
	}
	found, err := p.Records.Backups(v.R.Context(), upkeep.BackupFilter{Site: line.ID})
	if err != nil {
		return err
	}
	return v.Show(p.list, head(v, line.Name, v.Texts.Text("console.site.backups")), content{line.Name, found, v.Works()})
}

// Create backs the site up as it is now.
func (p *Page) Create(v *frame.Visit) error {
	site := v.R.PathValue("site")
	made, err := p.Config.Backups.CreateBackup(v.R.Context(), v.Actor(), site, v.R.PostFormValue("note"), nil)
	if err != nil {
		return err
	}
	return v.Done("/backups/"+made.ID.String(), "console.done.backed_up")
}

// about is what the page of one shows.
type about struct {
	*web.Backup
	Check *web.BackupCheck // nil: not asked for
	Works bool
}

// find returns the backup that a page is about.
func (p *Page) find(v *frame.Visit) (*web.Backup, error) {
	id, err := frame.ID[upkeep.BackupID](v)
	if err != nil {
		return nil, err
	}
	return p.Config.Backups.Backup(v.R.Context(), id)
}

// Show answers with one backup.
func (p *Page) Show(v *frame.Visit) error {
	b, err := p.find(v)
	if err != nil {
		return err
	}
	return p.one(v, b, nil)
}

func (p *Page) one(v *frame.Visit, b *web.Backup, check *web.BackupCheck) error {
	return v.Show(p.show, head(v, b.SiteName, v.Texts.Text("console.backup.title", "id", b.ID)), about{b, check, v.Works()})
}

// Verify reads all of a backup back.
func (p *Page) Verify(v *frame.Visit) error {
	b, err := p.find(v)
	if err != nil {
		return err
	}
	check, err := p.Config.Backups.VerifyBackup(v.R.Context(), v.Actor(), b.ID, true, nil)
	if err != nil {
		return err
	}
	return p.one(v, b, check)
}

// preview is what a restore would change.
type preview struct {
	*web.RestorePlan
	Title string
	Site  string
}

// mostShown bounds how many differences a page lists.
const mostShown = 200

// Shown is the first of the differences.
func (p preview) Shown() []upkeep.Difference {
	return p.Differences[:min(len(p.Differences), mostShown)]
}

// More is how many there are besides.
func (p preview) More() int { return len(p.Differences) - len(p.Shown()) }

// Preview says what a restore would change and lose, and asks for a yes.
func (p *Page) Preview(v *frame.Visit) error {
	b, err := p.find(v)
	if err != nil {
		return err
	}
	plan, err := p.Restores.PlanRestore(v.R.Context(), b.ID, web.RestoreRequest{InPlace: true})
	if err != nil {
		return err
	}
	title := v.Texts.Text("console.restore.title", "id", b.ID)
	return v.Show(p.restore, head(v, b.SiteName, title), preview{plan, title, b.SiteName})
}

// outcome is what a restore did.
type outcome struct {
	*web.RestoreResult
	Site string
}

// Restore brings a backup back, if nothing has changed since it was previewed.
func (p *Page) Restore(v *frame.Visit) error {
	b, err := p.find(v)
	if err != nil {
		return err
	}
	result, err := p.Restores.RestoreBackup(v.R.Context(), v.Actor(), b.ID, web.RestoreRequest{InPlace: true, Confirm: v.R.PostFormValue("confirm")}, nil)
	if err != nil {
		return err
	}
	return v.Show(p.restored, head(v, b.SiteName, v.Texts.Text("console.restore.done")), outcome{result, b.SiteName})
}
