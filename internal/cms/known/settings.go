package known

import (
	_ "embed"
	"encoding/base64"
	"path/filepath"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/known/format"
	"upkeep/internal/cms/php"
	"upkeep/internal/cms/php/config"
)

//go:embed scripts/config.php
var configSource string

// found is what a configuration says.
type found struct {
	from  *settings
	file  string                  // the first file of it
	value func(string) *php.Value // of one path
}

// get returns the first of the alternatives that is set.
func (f *found) get(alternatives string) string {
	for path := range strings.SplitSeq(alternatives, "|") {
		if path == "" {
			continue
		}
		if text := f.value(path).Text(); text != "" {
			return text
		}
	}
	return ""
}

// settings returns the first configuration that names a database, or else the
// first one that is there; nil where the application needs none. CodeInvalid
// when one is needed and not there.
func (s *scene) settings() (first *found, err error) {
	for i := range s.app.Settings {
		one, err := s.read(&s.app.Settings[i])
		if err != nil {
			return nil, err
		}
		if one != nil && (one.get(one.from.Keys.Name) != "" || one.get(one.from.Keys.URL) != "") {
			return one, nil
		}
		if first == nil {
			first = one
		}
	}
	if first == nil && len(s.app.Settings) > 0 && s.app.find == nil {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "%s has no configuration", s.app.Name).
			WithHint("Finish the installation of the application first, or name the folder that holds its configuration too.")
	}
	return first, nil
}

// read reads one configuration, nil when it is not there.
func (s *scene) read(from *settings) (*found, error) {
	files := s.files(from.Files)
	if len(files) == 0 {
		return nil, nil
	}
	if from.First {
		files = files[:1]
	}
	switch from.Form {
	case constants, variables, returned:
		return s.readPHP(from, files[0])
	}
	parse := map[form]func([]byte) (*php.Value, error){env: format.Env, ini: format.INI, yaml: format.YAML, xml: format.XML}[from.Form]
	var values []*php.Value
	for _, file := range files {
		text, err := s.text(file)
		if err != nil {
			return nil, err
		}
		value, err := parse(text)
		if err != nil {
			return nil, err
		}
		values = append([]*php.Value{value}, values...)
	}
	return &found{from: from, file: files[0], value: func(path string) *php.Value {
		for _, value := range values {
			if v := value.Get(strings.Split(path, "/")...); v != nil {
				return v
			}
		}
		return nil
	}}, nil
}

// files returns the files that are there, each once.
func (s *scene) files(patterns []string) []string {
	var files []string
	for _, pattern := range patterns {
		for _, file := range s.glob(pattern) {
			if info, ok := s.stat(file); ok && info.Mode().IsRegular() && !slices.Contains(files, file) {
				files = append(files, file)
			}
		}
	}
	return files
}

// text returns a file of a configuration, the site's own also while our gate
// stands in its place.
func (s *scene) text(file string) ([]byte, error) {
	dir, name := s.in(file)
	if dir == nil {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "%s is outside the site", file)
	}
	text, err := cms.ReadBounded(dir, name, maxSettings+maxGate)
	return behindGate(text), err
}

// readPHP reads a configuration in PHP, or has it evaluated where reading does
// not tell.
func (s *scene) readPHP(from *settings, file string) (*found, error) {
	after := s.files(from.After)
	values, err := s.static(from, file, after)
	if values != nil || err != nil || s.app.find != nil { // what runs when nobody knows the application is left alone
		return values, err
	}
	return s.evaluate(from, file, after)
}

// static reads what can be read; nil when only running it can tell.
func (s *scene) static(from *settings, file string, after []string) (*found, error) {
	text, err := s.text(file)
	if err != nil {
		return nil, err
	}
	read := config.Read(text, config.Source{Path: s.path(file), Ends: from.Ends, Defined: s.before(from)})
	later, known, err := s.later(from, after)
	if err != nil || !known {
		return nil, err
	}
	out := &found{from: from, file: file}
	dynamic := false
	out.value = func(path string) *php.Value {
		value, certainty := lookUp(read, from.Form, path)
		for _, file := range later {
			if v, certainty := lookUp(file, from.Form, path); certainty == config.Static && v != nil {
				value = v
			}
		}
		dynamic = dynamic || certainty == config.Dynamic && s.app.find == nil
		return value
	}
	for _, path := range s.wanted(from) {
		out.value(path)
	}
	if dynamic {
		return nil, nil
	}
	return out, nil
}

// later reads the files that change what a configuration says; false when
// only running them can tell.
func (s *scene) later(from *settings, files []string) ([]*config.Config, bool, error) {
	var read []*config.Config
	for _, file := range files {
		text, err := s.text(file)
		if err != nil {
			return nil, false, err
		}
		if from.Form == returned {
			includes := strings.Contains(string(text), "require") || strings.Contains(string(text), "include")
			if includes || slices.Contains(config.Strings(text), from.Word) {
				return nil, false, nil
			}
			continue
		}
		one := config.Read(text, config.Source{Path: s.path(file)})
		if _, certainty := one.Variable(from.Into); certainty == config.Dynamic {
			return nil, false, nil
		}
		read = append(read, one)
	}
	return read, true, nil
}

// lookUp returns one value of a file in PHP.
func lookUp(read *config.Config, form form, path string) (*php.Value, config.Certainty) {
	name, rest, _ := strings.Cut(path, "/")
	variable, isVariable := strings.CutPrefix(name, "$")
	var value *php.Value
	certainty := config.Absent
	switch {
	case form == variables || isVariable:
		value, certainty = read.Variable(variable)
	case form == constants:
		value, certainty = read.Constant(name)
	default:
		value, certainty = read.Returned()
		rest = path
	}
	if rest == "" {
		return value, certainty
	}
	return value.Get(strings.Split(rest, "/")...), certainty
}

// wanted are the paths that are asked of a configuration.
func (s *scene) wanted(from *settings) []string {
	k := &from.Keys
	alternatives := []string{k.Driver, k.Host, k.Port, k.Socket, k.User, k.Password, k.Name, k.Prefix, k.URL, k.Home}
	for _, folder := range s.app.Folders {
		alternatives = append(alternatives, folder.Key)
	}
	alternatives = append(alternatives, references(k.File)...)
	var paths []string
	for path := range strings.SplitSeq(strings.Join(alternatives, "|"), "|") {
		if path != "" && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// references are the paths in braces.
func references(template string) []string {
	var paths []string
	for {
		_, rest, ok := strings.Cut(template, "{")
		path, after, closed := strings.Cut(rest, "}")
		if !ok || !closed {
			return paths
		}
		paths, template = append(paths, path), after
	}
}

func (s *scene) path(file string) string { return filepath.Join(s.root, file) }

func (s *scene) before(from *settings) map[string]string {
	defined := map[string]string{}
	for name, value := range from.Before {
		defined[name] = strings.ReplaceAll(value, "{root}", s.root)
	}
	return defined
}

// evaluate has a configuration run in a PHP process of its own.
func (s *scene) evaluate(from *settings, file string, after []string) (_ *found, err error) {
	defer upkeep.Wrap(&err, "evaluate %s", s.path(file))
	var answer struct {
		Values   map[string]string
		Finished bool
	}
	for i := range after {
		after[i] = s.path(after[i])
	}
	question := map[string]any{"root": s.root, "file": s.path(file), "form": from.Form, "before": s.before(from),
		"after": after, "into": from.Into, "paths": s.wanted(from)}
	if err := s.host.PHP(s.ctx, cms.Script{Name: "config.php", Source: configSource, Dir: s.root}, question, &answer); err != nil {
		return nil, err
	}
	if !answer.Finished && len(after) > 0 {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "the configuration does not run by itself").
			WithHint("Let the address of the database stand in %s as plain values.", s.path(file))
	}
	values := map[string]*php.Value{}
	for path, encoded := range answer.Values {
		text, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, upkeep.Errorf(upkeep.CodeRefused, "%s: %w", path, err)
		}
		values[path] = &php.Value{Kind: php.String, Str: string(text)}
	}
	return &found{from: from, file: file, value: func(path string) *php.Value { return values[path] }}, nil
}
