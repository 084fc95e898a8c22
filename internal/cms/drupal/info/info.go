// Package info reads the files in which modules, themes and profiles of Drupal
// say what they are. They may be hostile: sizes and depths are bounded.
package info

import (
	"path"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"upkeep"
)

// MaxBytes bounds a file that is read.
const MaxBytes = 1 << 20

// Info is what an info file says. Lists are never nil by accident: what is not
// there is empty.
type Info struct {
	Name       string
	Type       string // module, theme, profile or theme_engine; "" in Drupal 7
	Version    string // "VERSION" for what comes with Drupal
	Project    string
	Datestamp  string
	Core       string // of Drupal 7, and of early 8
	Constraint string // core_version_requirement
	PHP        string
	BaseTheme  string
	Needs      []string // as written: "project:module (>=8.x-1.5)"
	Hidden     bool
}

// ReadYAML reads an info file of Drupal 8 and later. CodeInvalid when it is no
// mapping.
func ReadYAML(text []byte) (Info, error) {
	if said, plain := plainYAML(text); plain {
		return said, nil
	}
	return wholeYAML(text)
}

// wholeYAML reads a file that may use all of YAML.
func wholeYAML(text []byte) (Info, error) {
	var says struct {
		Name, Type, Version, Project, Datestamp, Core, PHP string
		Constraint                                         string `yaml:"core_version_requirement"`
		BaseTheme                                          any    `yaml:"base theme"`
		Dependencies                                       []string
		Hidden                                             any
	}
	var fields map[string]yaml.Node
	if err := yaml.Unmarshal(text, &fields); err != nil {
		return Info{}, upkeep.Errorf(upkeep.CodeInvalid, "does not read: %w", err)
	}
	// One field of a form that nobody expects must not hide the others.
	for name, into := range map[string]any{
		"name": &says.Name, "type": &says.Type, "version": &says.Version, "project": &says.Project, "datestamp": &says.Datestamp,
		"core": &says.Core, "php": &says.PHP, "core_version_requirement": &says.Constraint, "base theme": &says.BaseTheme,
		"dependencies": &says.Dependencies, "hidden": &says.Hidden,
	} {
		if node, ok := fields[name]; ok {
			_ = node.Decode(into) // stays empty
		}
	}
	base, _ := says.BaseTheme.(string)
	hidden, _ := says.Hidden.(bool)
	return Info{
		Name: says.Name, Type: says.Type, Version: says.Version, Project: says.Project, Datestamp: says.Datestamp, Core: says.Core,
		Constraint: says.Constraint, PHP: says.PHP, BaseTheme: base, Needs: says.Dependencies, Hidden: hidden,
	}, nil
}

// Read reads an info file of Drupal 7.
func Read(text []byte) Info {
	v := Parse(text)
	one := func(name string) string {
		s, _ := v[name].(string)
		return s
	}
	said := Info{
		Name: one("name"), Version: one("version"), Project: one("project"), Datestamp: one("datestamp"), Core: one("core"),
		PHP: one("php"), BaseTheme: one("base theme"),
	}
	said.Hidden, _ = v["hidden"].(bool)
	if needs, ok := v["dependencies"].(map[string]any); ok {
		for _, key := range ordered(needs) {
			if need, ok := needs[key].(string); ok {
				said.Needs = append(said.Needs, need)
			}
		}
	}
	return said
}

// Machine is the machine name that an info file gives: token of
// modules/token/token.info.yml.
func Machine(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".info")
	return name
}

// machineName is what Drupal takes for one: the name of a PHP function.
var machineName = regexp.MustCompile(`^[a-zA-Z_\x7f-\xff][a-zA-Z0-9_\x7f-\xff]*$`)

// IsMachine reports whether Drupal would look at an extension of that name.
func IsMachine(name string) bool { return len(name) <= 128 && machineName.MatchString(name) }
