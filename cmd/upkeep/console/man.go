package console

import (
	"os"
	"path/filepath"
	"strings"
)

// HeadPages puts the headings of the manual pages in a folder, which their
// generator knows in English only, into the reader's language.
func (e *Env) HeadPages(folder string) error {
	headings := strings.NewReplacer(
		"\n.SH NAME\n", "\n.SH "+e.Text("man.name")+"\n",
		"\n.SH SYNOPSIS\n", "\n.SH "+e.Text("man.synopsis")+"\n",
		"\n.SH OPTIONS\n", "\n.SH "+e.Text("man.options")+"\n",
		"\n.SH OPTIONS INHERITED FROM PARENT COMMANDS\n", "\n.SH "+e.Text("man.global_options")+"\n",
		"\n.SH EXAMPLE\n", "\n.SH "+e.Text("man.examples")+"\n",
		"\n.SH SEE ALSO\n", "\n.SH "+e.Text("man.see_also")+"\n",
	)
	pages, err := filepath.Glob(filepath.Join(folder, "upkeep*.1"))
	if err != nil {
		return err
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		if err := os.WriteFile(page, []byte(headings.Replace(string(text))), 0o644); err != nil { //nolint:gosec // pages are for everyone
			return err
		}
	}
	return nil
}
