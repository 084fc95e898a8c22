package show

import (
	"strconv"
	"strings"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

// Applications is how applications are listed.
func Applications(e *console.Env) *terminal.List[web.Application] {
	type a = web.Application
	return &terminal.List[a]{
		Empty: e.Text("application.none"),
		ID:    func(x *a) string { return x.ID.String() },
		Columns: []terminal.Column[a]{
			{Title: e.Text("col.id"), Name: "id", Right: true, Cell: numberOf, Raw: func(x *a) string { return x.ID.String() }},
			{Title: e.Text("col.status"), Name: "status", Paint: applicationPaint,
				Cell: func(x *a) string { return e.Texts.Code("standing", string(x.Status), nil) },
				Raw:  func(x *a) string { return string(x.Status) }},
			{Title: e.Text("col.host"), Name: "host_name", Cell: func(x *a) string { return x.HostName }},
			{Title: e.Text("col.root"), Name: "root", Wrap: true, Cell: func(x *a) string { return x.Root }},
			{Title: e.Text("col.url"), Name: "urls", Wrap: true, Cell: func(x *a) string { return strings.Join(x.URLs, " ") }},
			{Title: e.Text("col.cms"), Name: "cms", Cell: func(x *a) string { return e.Texts.Code("cms", string(x.CMS), nil) },
				Raw: func(x *a) string { return string(x.CMS) }},
			{Title: e.Text("col.version"), Name: "version", Cell: func(x *a) string { return string(x.Version) }},
			{Title: e.Text("col.owner"), Name: "owner", Cell: func(x *a) string { return x.Owner }},
			{Name: "database", Hide: true, Cell: func(x *a) string { return x.Database }},
			{Title: e.Text("col.size"), Name: "bytes", Right: true, Cell: func(x *a) string { return e.Texts.Bytes(x.Bytes) },
				Raw: func(x *a) string { return strconv.FormatInt(x.Bytes, 10) }},
			{Title: e.Text("col.why"), Name: "why", Wrap: true, Cell: func(x *a) string { return about(e, x) }},
		},
	}
}

func numberOf(x *web.Application) string {
	if x.ID == 0 {
		return "–" // a site that no scan came upon
	}
	return x.ID.String()
}

// about is what else is to be known of an application.
func about(e *console.Env, x *web.Application) string {
	var said []string
	if x.Site != "" {
		said = append(said, e.Text("application.site", "site", x.Site))
	}
	if x.Dismissed != nil {
		said = append(said, x.Dismissed.Because)
	}
	if x.Within != "" {
		said = append(said, e.Text("application.within", "root", x.Within))
	}
	if x.Problem != nil {
		said = append(said, e.Texts.Say(upkeep.TextOf(x.Problem)))
	}
	return strings.Join(said, " · ")
}

func applicationPaint(x *web.Application) terminal.Paint {
	switch x.Status {
	case web.Uncovered:
		return terminal.Warn
	case web.Gone:
		return terminal.Bad
	}
	return terminal.Plain
}

// Scan writes what a scan found, and where it stopped.
func Scan(e *console.Env, r *web.ScanResult) error {
	if err := Applications(e).Write(e.Out, "table", r.Applications); err != nil {
		return err
	}
	for _, cut := range r.Cut {
		if err := e.Say("scan.cut", "root", cut.Path, "why", e.Texts.Code("cut", string(cut.Why), nil)); err != nil {
			return err
		}
	}
	uncovered := 0
	for i := range r.Applications {
		if r.Applications[i].Status == web.Uncovered {
			uncovered++
		}
	}
	if err := e.Say("scan.done", "new", len(r.New), "back", len(r.Back), "gone", len(r.Gone), "uncovered", uncovered); err != nil || uncovered == 0 {
		return err
	}
	return e.Say("scan.next")
}
