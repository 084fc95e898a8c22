package layout

import (
	"context"
	_ "embed"
	"encoding/json"
	"maps"
	"path/filepath"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/area"
	"upkeep/internal/cms/php"
	"upkeep/internal/cms/php/config"
	"upkeep/internal/cms/recall"
)

//go:embed scripts/config.php
var configSource string

// configBytes bounds a file of the configuration, which has some kilobytes.
const configBytes = 1 << 20

// settings is what DokuWiki's cascade of configuration files comes to.
type settings struct {
	confDir  string   // DOKU_CONF
	defaults string   // folder of the release's own configuration
	local    string   // the configuration that the configuration manager writes
	states   []string // files with the states of plugins, weakest first
	conf     map[string]string
	farm     bool           // several sites share this folder
	php      upkeep.Version // when it was evaluated
}

// wanted are the settings of $conf that matter here.
func wanted() []string {
	names := []string{"savedir", "template", "authtype", "start", "baseurl", "basedir"}
	for _, place := range places {
		names = append(names, place[0])
	}
	return names
}

func (s *settings) options() map[string]string {
	options := map[string]string{}
	keep := func(option, value string) {
		if value != "" {
			options[option] = value
		}
	}
	keep(OptionTemplate, s.conf["template"])
	keep(OptionAuth, s.conf["authtype"])
	keep(OptionStart, s.conf["start"])
	keep(OptionLocal, s.local)
	keep(OptionPHP, string(s.php))
	if base := s.conf["baseurl"]; strings.Contains(base, "://") {
		keep(OptionHome, strings.TrimSuffix(base, "/")+"/"+strings.TrimPrefix(s.conf["basedir"], "/"))
	}
	if states, err := json.Marshal(s.states); err == nil {
		keep(OptionStates, string(states))
	}
	if s.php != "" {
		keep(OptionDynamic, "1")
	}
	return options
}

// settings reads the configuration, or has it evaluated where reading does
// not tell.
func (s *scene) settings(ctx context.Context) (*settings, error) {
	set, ok, err := s.readSettings()
	if err != nil {
		return nil, err
	}
	if ok {
		return set, nil
	}
	return s.evaluate(ctx)
}

// preload returns the site's own inc/preload.php, also while our gate stands
// in its place.
func (s *scene) preload() ([]byte, error) {
	text, err := s.read(filepath.Join(s.root, Preload))
	if err == nil && strings.Contains(string(text), Mark) {
		text, err = s.read(filepath.Join(s.root, Waiting))
	}
	return text, err
}

// cascade is the part of $config_cascade that matters here.
type cascade struct {
	Default   []string `json:"default"`
	Local     []string `json:"local"`
	Protected []string `json:"protected"`
}

// readSettings follows inc/init.php; false when only running it can tell.
func (s *scene) readSettings() (*settings, bool, error) {
	text, err := s.preload()
	if err != nil {
		return nil, false, err
	}
	inc := s.root + "/"
	read := config.Read(text, config.Source{Path: filepath.Join(s.root, Preload), Defined: map[string]string{"DOKU_INC": inc}})
	set := &settings{conf: map[string]string{}, confDir: inc + "conf/"}
	for _, name := range []string{"DOKU_FARMDIR", "DOKU_FARM"} {
		_, certainty := read.Constant(name)
		set.farm = set.farm || certainty != config.Absent
	}
	switch dir, certainty := read.Constant("DOKU_CONF"); certainty {
	case config.Dynamic:
		return nil, false, nil
	case config.Static:
		set.confDir = strings.TrimSuffix(dir.Text(), "/") + "/"
	}
	set.main(cascade{
		Default: []string{set.confDir + "dokuwiki.php"}, Local: []string{set.confDir + "local.php"},
		Protected: []string{set.confDir + "local.protected.php"},
	})
	set.states = []string{set.confDir + "plugins.php", set.confDir + "plugins.local.php", set.confDir + "plugins.required.php", set.confDir + "plugins.protected.php"}
	if _, certainty := read.Variable("config_cascade"); certainty != config.Absent {
		return nil, false, nil // rare, and PHP merges it with the defaults of the release
	}
	for _, file := range []string{"dokuwiki.php", "local.php", "local.protected.php"} {
		known, err := s.merge(set, set.confDir+file)
		if err != nil || !known {
			return nil, false, notLent(err)
		}
	}
	return set, true, nil
}

// notLent turns what is refused into something to be asked for.
func notLent(err error) error {
	if upkeep.CodeOf(err) == upkeep.CodeRefused {
		return nil
	}
	return err
}

// main keeps of the cascade which file is which.
func (s *settings) main(main cascade) {
	if len(main.Default) > 0 {
		s.defaults = filepath.Dir(main.Default[0])
	}
	if len(main.Local) > 0 {
		s.local = main.Local[0]
	}
}

// Memory is what files of the configuration were found to say. The zero value
// knows nothing.
type Memory struct {
	confs  recall.Files[map[string]string] // what matters of $conf; nil for what only running the file can tell
	states recall.Files[states]
}

// states are what a file says of plugins; not known when only running it can tell.
type states struct {
	plugins *php.Value
	known   bool
}

// merge adds what one file sets; false when that cannot be read.
func (s *scene) merge(set *settings, file string) (bool, error) {
	rel, inside := area.Relative(s.root, file)
	if !inside {
		return false, upkeep.Errorf(upkeep.CodeRefused, "%s is outside the site", file)
	}
	conf, err := s.known.confs.Read(s.folder, rel, configBytes, func(text []byte) (map[string]string, error) {
		return confOf(text, file), nil
	})
	if notThere(err) {
		return true, nil
	}
	maps.Copy(set.conf, conf)
	return err == nil && conf != nil, err
}

// confOf is what matters of the settings in a file, nil when they cannot be read.
func confOf(text []byte, file string) map[string]string {
	conf, certainty := config.Read(text, config.Source{Path: file}).Variable("conf")
	if certainty == config.Dynamic {
		return nil
	}
	said := map[string]string{}
	for _, name := range wanted() {
		if value := conf.Get(name); value != nil {
			said[name] = value.Text()
		}
	}
	return said
}

// evaluate has the configuration run in a PHP process of its own.
func (s *scene) evaluate(ctx context.Context) (_ *settings, err error) {
	defer upkeep.Wrap(&err, "evaluate the configuration")
	var answer struct {
		PHP     upkeep.Version
		ConfDir string
		Conf    map[string]string
		Main    cascade
		Plugins cascade
		Farm    bool
	}
	preload := filepath.Join(s.root, Preload)
	if text, err := s.read(preload); err == nil && strings.Contains(string(text), Mark) {
		preload = filepath.Join(s.root, Waiting)
	}
	question := map[string]any{"root": s.root + "/", "preload": preload, "names": wanted()}
	if err := s.host.PHP(ctx, cms.Script{Name: "config.php", Source: configSource, Dir: s.root}, question, &answer); err != nil {
		return nil, err
	}
	if answer.ConfDir == "" || answer.Conf["savedir"] == "" {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "the configuration does not say where pages are kept").
			WithHint("Does the wiki answer in a browser? Its conf/ and inc/preload.php must be readable for the site's account.")
	}
	set := &settings{confDir: answer.ConfDir, conf: answer.Conf, farm: answer.Farm, php: answer.PHP}
	set.main(answer.Main)
	set.states = append(append(append([]string{}, answer.Plugins.Default...), answer.Plugins.Local...), answer.Plugins.Protected...)
	return set, nil
}

// States reads which plugins are switched off (false) or on (true) by the
// configuration, and which of these nobody may change. Plugins that are not
// in the map are on.
func States(h cms.Host, l *cms.Layout, known *Memory) (states map[string]bool, protected map[string]bool, err error) {
	defer upkeep.Wrap(&err, "states of plugins")
	var files []string
	if err := json.Unmarshal([]byte(l.Options[OptionStates]), &files); err != nil {
		return nil, nil, upkeep.Errorf(upkeep.CodeDamaged, "layout: %w", err)
	}
	states, protected = map[string]bool{}, map[string]bool{}
	for _, file := range files {
		plugins, err := known.readStates(h, file)
		if err != nil {
			return nil, nil, err
		}
		for name, value := range plugins.All() {
			states[name] = value.True()
			if base := filepath.Base(file); base == "plugins.required.php" || base == "plugins.protected.php" {
				protected[name] = true
			}
		}
	}
	return states, protected, nil
}

func (known *Memory) readStates(h cms.Host, file string) (*php.Value, error) {
	dir, err := h.Open(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	folder, err := recall.Within(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	said, err := known.states.Read(folder, filepath.Base(file), configBytes, func(text []byte) (states, error) {
		plugins, certainty := config.Read(text, config.Source{Path: file}).Variable("plugins")
		return states{plugins, certainty != config.Dynamic}, nil
	})
	if notThere(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !said.known {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "%s is more than a list of plugins", file).
			WithHint("Let it hold nothing but lines such as $plugins['name'] = 0;")
	}
	return said.plugins, nil
}
