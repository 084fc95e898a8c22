package agency

import (
	"upkeep"
)

// state is what is to be seen of a site.
type state string

const (
	calm     state = "" // up to date
	outdated state = "outdated"
	urgent   state = "urgent" // a security update is ready
	held     state = "held"   // by a licence and by hand-made changes
	running  state = "running"
	frozen   state = "frozen" // by an intervention, in the middle of a search
	undone   state = "undone"
	partial  state = "partial" // the guilty was found
	incident state = "incident"
	failed   state = "failed"
	stale    state = "stale"
	waiting  state = "waiting" // for the client's yes
)

// seed is a site to be.
type seed struct {
	name, client, plan string
	cms                upkeep.CMS
	state              state
	id                 upkeep.SiteID
}

func sites() []seed {
	const wp, joomla, drupal, doku, wiki = upkeep.WordPress, upkeep.Joomla, upkeep.Drupal, upkeep.DokuWiki, upkeep.MediaWiki
	return []seed{
		{"boulangerie-morel.example", "morel", "base", wp, calm, 0},
		{"cabinet-delorme.example", "delorme", "base", wp, urgent, 0},
		{"atelier-cuivre.example", "atelier-cuivre", "avance", wp, outdated, 0},
		{"boutique.velo-libre.example", "velo-libre", "avance", wp, frozen, 0},
		{"velo-libre.example", "velo-libre", "base", wp, calm, 0},
		{"mairie-saint-aubin.example", "saint-aubin", "sur-mesure", joomla, urgent, 0},
		{"mediatheque-saint-aubin.example", "saint-aubin", "avance", joomla, calm, 0},
		{"festival-des-brumes.example", "brumes", "base", wp, undone, 0},
		{"pharmacie-du-port.example", "pharmacie-port", "base", wp, calm, 0},
		{"notaires-lambert.example", "lambert", "avance", drupal, stale, 0},
		{"hotel-beaurivage.example", "beaurivage", "avance", wp, partial, 0},
		{"reservation.beaurivage.example", "beaurivage", "sur-mesure", wp, held, 0},
		{"domaine-des-tilleuls.example", "tilleuls", "base", wp, outdated, 0},
		{"ecole-montessori-lyon.example", "montessori", "base", wp, calm, 0},
		{"librairie-quai-nord.example", "quai-nord", "avance", wp, waiting, 0},
		{"garage-perrin.example", "perrin", "", wp, outdated, 0},
		{"docs.atelier-cuivre.example", "atelier-cuivre", "base", doku, calm, 0},
		{"wiki.laboratoire-halde.example", "halde", "sur-mesure", wiki, outdated, 0},
		{"laboratoire-halde.example", "halde", "sur-mesure", drupal, incident, 0},
		{"traiteur-olivier.example", "olivier", "base", wp, running, 0},
		{"sport-club-nantes.example", "sc-nantes", "avance", joomla, failed, 0},
		{"association-vivre.example", "vivre", "base", wp, calm, 0},
		{"fleurs-de-camille.example", "camille", "base", wp, urgent, 0},
		{"menuiserie-roche.example", "roche", "base", wp, calm, 0},
	}
}

func plugin(slug, name string, version upkeep.Version) upkeep.Component {
	return upkeep.Component{Kind: upkeep.Plugin, ID: slug + "/" + slug + ".php", Slug: slug, Name: name, Version: version, Active: true}
}

// components are those of the site's inventory, core first.
func (s *seed) components() []upkeep.Component {
	core := upkeep.Component{Kind: upkeep.Core, ID: "core", Slug: string(s.cms), Name: string(s.cms), Active: true}
	switch s.cms {
	case upkeep.Joomla:
		core.Version = "5.1.4"
		return []upkeep.Component{core, {Kind: upkeep.Application, ID: "com_akeebabackup", Slug: "com_akeebabackup", Name: "Akeeba Backup", Version: "9.9.8", Active: true},
			{Kind: upkeep.Package, ID: "pkg_jce", Slug: "pkg_jce", Name: "JCE Editor", Version: "2.9.80", Active: true},
			{Kind: upkeep.Theme, ID: "cassiopeia", Slug: "cassiopeia", Name: "Cassiopeia", Version: "1.0", Active: true}}
	case upkeep.Drupal:
		core.Version = "10.3.5"
		return []upkeep.Component{core, {Kind: upkeep.Module, ID: "pathauto", Slug: "pathauto", Name: "Pathauto", Version: "8.x-1.12", Active: true},
			{Kind: upkeep.Module, ID: "webform", Slug: "webform", Name: "Webform", Version: "6.2.3", Active: true},
			{Kind: upkeep.Module, ID: "token", Slug: "token", Name: "Token", Version: "8.x-1.15", Active: true}}
	case upkeep.DokuWiki:
		core.Version = "2024-02-06b"
		return []upkeep.Component{core, {Kind: upkeep.Plugin, ID: "wrap", Slug: "wrap", Name: "Wrap", Version: "2023-08-13", Active: true}}
	case upkeep.MediaWiki:
		core.Version = "1.43.1"
		return []upkeep.Component{core, {Kind: upkeep.Plugin, ID: "VisualEditor", Slug: "VisualEditor", Name: "VisualEditor", Version: "0.1.2", Active: true}}
	}
	core.Version = "6.7.1"
	return []upkeep.Component{core, plugin("akismet", "Akismet Anti-spam", "5.3.5"), plugin("contact-form-7", "Contact Form 7", "6.0.1"),
		plugin("wordpress-seo", "Yoast SEO", "23.9"), plugin("woocommerce", "WooCommerce", "9.4.2"), plugin("elementor", "Elementor", "3.25.10"),
		plugin("wp-rocket", "WP Rocket", "3.17.3"), plugin("event-tickets-plus", "Event Tickets Plus", "6.1.0"),
		{Kind: upkeep.Theme, ID: "astra", Slug: "astra", Name: "Astra", Version: "4.8.6", Active: true},
		{Kind: upkeep.Theme, ID: "twentytwentyfour", Slug: "twentytwentyfour", Name: "Twenty Twenty-Four", Version: "1.3"}}
}

func (s *seed) php() upkeep.Version {
	if s.state == held {
		return "7.4.33"
	}
	return "8.2.26"
}

func (s *seed) findings() []upkeep.Finding {
	switch s.state {
	case held:
		return []upkeep.Finding{{Code: "modified", Component: "theme:astra", Paths: []string{"wp-content/themes/astra/functions.php"}, Blocks: true}}
	case outdated:
		return []upkeep.Finding{{Code: "updater_disabled"}}
	}
	return nil
}

// to is an update of the site's component with this slug.
func (s *seed) to(slug string, version upkeep.Version, d upkeep.Disposition, reasons ...upkeep.Reason) upkeep.Update {
	for _, c := range s.components() {
		if c.Slug == slug {
			return upkeep.Update{Component: c, Release: upkeep.Release{Kind: c.Kind, Slug: slug, Version: version, Source: s.source(), Package: "https://downloads.example/" + slug + ".zip",
				URL: "https://releases.example/" + slug}, Disposition: d, Reasons: reasons}
		}
	}
	return upkeep.Update{}
}

func (s *seed) source() string {
	return map[upkeep.CMS]string{upkeep.WordPress: "wordpress.org", upkeep.Joomla: "joomla.org", upkeep.Drupal: "drupal.org",
		upkeep.DokuWiki: "dokuwiki.org", upkeep.MediaWiki: "mediawiki.org"}[s.cms]
}

func because(code string, pairs ...string) upkeep.Reason {
	params := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		params[pairs[i]] = pairs[i+1]
	}
	return upkeep.Reason{Code: code, Params: params}
}

// updates are the decisions about the site.
func (s *seed) updates() []upkeep.Update {
	switch s.cms {
	case upkeep.Joomla, upkeep.MediaWiki:
		if s.state == urgent || s.state == outdated {
			u := s.to(string(s.cms), map[upkeep.CMS]upkeep.Version{upkeep.Joomla: "5.2.2", upkeep.MediaWiki: "1.43.3"}[s.cms], upkeep.Ready)
			u.Security, u.Batch = s.state == urgent, 1
			return []upkeep.Update{u}
		}
		return nil
	case upkeep.WordPress:
	default:
		return nil
	}
	forms := s.to("contact-form-7", "6.0.3", upkeep.Ready)
	forms.Security, forms.Batch = s.state == urgent, 1
	seo, shop := s.to("wordpress-seo", "24.1", upkeep.Ready), s.to("woocommerce", "9.5.1", upkeep.Ready, because("core_first"))
	seo.Batch, shop.Batch = 1, 2
	switch s.state {
	case calm, running, frozen, undone:
		return nil
	case urgent:
		return []upkeep.Update{forms, seo}
	case held:
		php := s.to("elementor", "3.27.0", upkeep.Held, because("requires_php", "want", "8.0", "have", "7.4.33"))
		theme := s.to("astra", "4.8.9", upkeep.Held, because("modified", "files", "functions.php"))
		licence := s.to("event-tickets-plus", "6.1.2", upkeep.Held, because("licence_missing", "source", "theeventscalendar.com"))
		major := s.to("wordpress", "6.8", upkeep.Quote, because("major", "from", "6.7", "to", "6.8"))
		major.Major = true
		return []upkeep.Update{major, seo, php, theme, licence}
	case partial:
		return []upkeep.Update{s.to("elementor", "3.27.0", upkeep.Held, because("failed_update", "version", "3.27.0", "why", "HTTP 500"))}
	}
	return []upkeep.Update{forms, seo, shop, s.to("elementor", "3.27.0", upkeep.Ready)}
}
