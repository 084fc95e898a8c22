package layout

import (
	"context"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/php/config"
)

// siteForm is what a folder of a site may be called for its database to have
// that name in backups.
var siteForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// addSites adds the other sites that the same code serves: what is done to the
// code is done to all of them. One that cannot be understood holds them all.
func (s *scene) addSites(ctx context.Context, others []string) error {
	if len(others) == 0 {
		return nil
	}
	l := s.layout
	main := l.Options[OptionHost]
	if main == "" {
		main = "default"
	}
	l.Database.Label = main
	for _, name := range others {
		err := s.addSite(ctx, name)
		switch {
		case err == nil:
		case upkeep.CodeOf(err) == upkeep.CodeInvalid:
			s.find(upkeep.Finding{Code: "farm", Paths: []string{filepath.Join(s.root, "sites", name)}, Blocks: true}.Because(err))
		default:
			return err
		}
	}
	l.Options[OptionSites] = strings.Join(append([]string{main}, others...), " ")
	return nil
}

func (s *scene) addSite(ctx context.Context, name string) (err error) {
	defer upkeep.Wrap(&err, "site %s", name)
	if !siteForm.MatchString(name) {
		return upkeep.Errorf(upkeep.CodeInvalid, "the folder is called %q", name)
	}
	l := s.layout
	dir, err := filepath.EvalSymlinks(filepath.Join(s.root, "sites", name))
	if err != nil {
		return err
	}
	l.Dirs[DirSite+"-"+name] = dir
	one := *s
	one.layout = &cms.Layout{Dirs: map[string]string{DirSite: dir}, Options: map[string]string{OptionGeneration: l.Options[OptionGeneration], OptionHost: name}}
	set, err := one.settings(ctx)
	if err != nil {
		return err
	}
	db, err := set.database(s.root)
	if err != nil {
		return err
	}
	for _, other := range append([]cms.Database{*l.Database}, l.Database.More...) {
		if other.Engine == db.Engine && other.Host == db.Host && other.Port == db.Port && other.Socket == db.Socket && other.Name == db.Name {
			return upkeep.Errorf(upkeep.CodeInvalid, "it has a part of the database of %s", other.Label)
		}
	}
	db.Label = name
	l.Database.More = append(l.Database.More, *db)
	s.place(set, name)
	return nil
}

// findNames notes what each site is called, and reports names that lead to
// folders where no settings were found, or that only running sites.php could tell.
func (s *scene) findNames(known []string) error {
	file := filepath.Join(s.root, "sites", "sites.php")
	text, err := s.read(file)
	if err != nil {
		return err
	}
	sites, certainty := config.Read(text, config.Source{}).Variable("sites")
	unknown := text != nil && certainty == config.Dynamic
	for name, folder := range sites.All() {
		unknown = unknown || !slices.Contains(known, folder.Text())
		s.call(folder.Text(), name)
	}
	for _, folder := range known {
		s.call(folder, folder)
	}
	if unknown {
		s.find(upkeep.Finding{Code: "farm", Paths: []string{file}, Blocks: true})
	}
	return nil
}

// addressForm is the name of a site that is a host's, maybe after its port.
var addressForm = regexp.MustCompile(`^(?:(\d{1,5})\.)?([a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z][a-z0-9-]*)$`)

// call notes under which host a site is looked at, if name can be one. The first
// that is known stays.
func (s *scene) call(folder, name string) {
	match := addressForm.FindStringSubmatch(name)
	key := OptionAddress + "-" + folder
	if match == nil || s.layout.Options[key] != "" {
		return
	}
	s.layout.Options[key] = strings.TrimSuffix(match[2]+":"+match[1], ":")
}

// Sites are the layouts of each site of the same code, the main one first: what
// is asked of one site can be asked of each.
func Sites(l *cms.Layout) []*cms.Layout {
	names := strings.Fields(l.Options[OptionSites])
	if len(names) == 0 || l.Database == nil {
		return []*cms.Layout{l}
	}
	main := *l
	first := *l.Database
	first.More = nil
	main.Database = &first
	all := []*cms.Layout{&main}
	for i := range l.Database.More {
		one := *l
		one.Database = &l.Database.More[i]
		one.Dirs, one.Options = maps.Clone(l.Dirs), maps.Clone(l.Options)
		one.Dirs[DirSite], one.Options[OptionHost] = l.Dirs[DirSite+"-"+one.Database.Label], one.Database.Label
		one.Options[OptionAddress] = l.Options[OptionAddress+"-"+one.Database.Label]
		delete(one.Options, OptionHome)
		all = append(all, &one)
	}
	return all
}
