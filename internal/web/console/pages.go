package console

import (
	"errors"

	"upkeep/internal/web/console/frame"
	"upkeep/internal/web/console/today"
)

// pages is one of each.
type pages struct {
	today *today.Page

	keys *frame.View
}

// open reads the templates of all pages.
func (p *pages) open(f *frame.Frame, c *Config) error {
	var errs [2]error
	p.today, errs[0] = today.New(f, c.Overview)
	p.keys, errs[1] = f.Shortcuts()
	return errors.Join(errs[:]...)
}

// shortcuts lists what keys do, for whoever has no JavaScript.
func (p *pages) shortcuts(v *frame.Visit) error {
	return v.Show(p.keys, frame.Head{Title: v.Texts.Text("console.shortcuts")}, nil)
}
