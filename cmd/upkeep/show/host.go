package show

import (
	"strings"
	"time"

	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
)

// Host writes a host with the keys it is known by.
func Host(e *console.Env, h *web.Host) error {
	fields := []terminal.Field{
		{Label: e.Text("col.host"), Value: h.Name, Paint: terminal.Bold},
		{Label: e.Text("col.address"), Value: h.At.String()},
	}
	rights := "host.as_login"
	if h.Sudo {
		rights = "host.as_owner"
	}
	fields = append(fields, terminal.Field{Label: e.Text("col.rights"), Value: e.Text(rights)})
	label := e.Text("col.keys")
	for _, key := range h.Keys {
		fields = append(fields, terminal.Field{Label: label, Value: key.Hop + " · " + key.Fingerprint})
		label = ""
	}
	if len(h.Sites) > 0 {
		fields = append(fields, terminal.Field{Label: e.Text("col.sites"), Value: strings.Join(h.Sites, ", ")})
	}
	return e.Out.Fields("", fields)
}

// HostCheck writes what a host said of itself.
func HostCheck(e *console.Env, name string, c *web.HostCheck) error {
	php := terminal.Field{Label: "PHP", Value: c.PHP}
	switch {
	case c.PHP == "":
		php.Value, php.Paint = e.Text("host.no_php"), terminal.Warn
	case !c.MySQLi:
		php.Value, php.Paint = e.Text("host.no_mysqli", "version", c.PHP), terminal.Warn
	}
	rights := "host.as_login"
	if c.Root {
		rights = "host.as_owner"
	}
	return e.Out.Fields("", []terminal.Field{
		{Label: e.Text("col.host"), Value: name, Paint: terminal.Bold},
		{Label: e.Text("col.status"), Value: e.Text("host.answers", "span", e.Texts.Span(time.Duration(c.Took)))},
		{Label: e.Text("col.platform"), Value: c.Platform},
		{Label: e.Text("col.account"), Value: c.Account},
		{Label: e.Text("col.rights"), Value: e.Text(rights)},
		php,
		{Label: e.Text("col.free"), Value: e.Texts.Bytes(c.Free)},
	})
}
