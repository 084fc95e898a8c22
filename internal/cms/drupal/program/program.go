// Package program runs programs that are written in PHP and that somebody else
// put on the host or into the site, with the site's PHP and as its owner.
package program

import (
	"context"
	_ "embed"
	"strings"

	"upkeep/internal/cms"
)

//go:embed scripts/run.php
var runSource string

// Seconds bound one run; the script that does it must outlive it to say so.
const Seconds = 270

// Program is one run of a program.
type Program struct {
	Command     string            `json:"command"` // absolute; what is not of PHP is started as it is
	Arguments   []string          `json:"arguments"`
	Dir         string            `json:"dir"`
	Environment map[string]string `json:"environment"` // all of it, but for the path and the language
}

// Outcome is how it went.
type Outcome struct {
	Code int    `json:"code"` // that it ended with
	Text string `json:"text"` // the end of what it printed
	Late bool   `json:"late"` // it was ended after Seconds
}

// Run runs the program to its end. An error says that it could not be started.
func (p Program) Run(ctx context.Context, h cms.Host) (*Outcome, error) {
	environment := map[string]string{"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
	for name, value := range p.Environment {
		environment[name] = value
	}
	question := map[string]any{"command": p.Command, "arguments": p.Arguments, "dir": p.Dir, "environment": environment, "seconds": Seconds}
	o := &Outcome{}
	return o, h.PHP(ctx, cms.Script{Name: "run.php", Source: runSource, Dir: p.Dir}, question, o)
}

// maxReason bounds what is told of a program's words.
const maxReason = 600

// Reason is the end of what it printed, without the lines for which noise
// holds, on one line.
func (o *Outcome) Reason(noise func(line string) bool) string {
	var words []string
	for line := range strings.Lines(o.Text) {
		if !noise(strings.TrimRight(line, "\n")) {
			words = append(words, strings.Fields(line)...)
		}
	}
	text := strings.Join(words, " ")
	return text[max(0, len(text)-maxReason):]
}
