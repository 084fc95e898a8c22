package app

import (
	"encoding/json"
	"errors"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/schedule"
)

// settings is what config.json in the state folder may say.
type settings struct {
	WordPress struct {
		API       string `json:"api"`       // of api.wordpress.org or a mirror
		Downloads string `json:"downloads"` // of downloads.wordpress.org or a mirror
	} `json:"wordpress"`
	DokuWiki struct {
		Downloads  string `json:"downloads"`  // of download.dokuwiki.org or a mirror
		Updates    string `json:"updates"`    // of update.dokuwiki.org or a mirror
		Repository string `json:"repository"` // of the repository of extensions or a mirror
	} `json:"dokuwiki"`
	Joomla struct {
		Updates   string `json:"updates"`   // of update.joomla.org or a mirror
		Downloads string `json:"downloads"` // of the published packages or a mirror
		Root      string `json:"root"`      // SHA-256 of 1.root.json of that mirror, when it signs by itself
	} `json:"joomla"`
	Drupal struct {
		History string `json:"history"` // of updates.drupal.org/release-history or a mirror
	} `json:"drupal"`
	MediaWiki struct {
		Releases string `json:"releases"` // of releases.wikimedia.org/mediawiki or a mirror
		API      string `json:"api"`      // of mediawiki.org's API, which knows of extensions, or a mirror
		Keys     string `json:"keys"`     // file of the keys that releases are signed with; "" does not check
	} `json:"mediawiki"`
	Trusted []string `json:"trusted"` // hosts that may be asked by plain http or at private addresses
	Agents  string   `json:"agents"`  // folder of the agents' folders; "" is the state folder's name with "-agents"
	Vault   string   `json:"vault"`   // folder of the repository until upkeep vault use names another place; "" is "vault" in the state folder

	SSHConfig string `json:"ssh_config"` // file that says how hosts are reached; "" leaves ssh its own

	Silence upkeep.Duration `json:"silence"`  // after which an agent that hears nothing undoes and thaws
	FeedAge upkeep.Duration `json:"feed_age"` // up to which publishers' answers are used without asking again

	Limits limits `json:"limits"`

	Console struct {
		URL     string   `json:"url"`     // where people reach the pages; "" is http://localhost:8080
		Proxies []string `json:"proxies"` // addresses or nets, whose word is taken on where a request comes from
	} `json:"console"`
}

// origin is where people reach the pages.
func (s *settings) origin() (*url.URL, error) {
	u, err := url.Parse(s.Console.URL)
	if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost") {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "console.url %q: want https:// and a host, or http://localhost", s.Console.URL).
			WithHint("Sign-in works over TLS only: put a proxy in front, and say here how people reach it.")
	}
	return u, nil
}

// proxies are the nets of the proxies that are trusted.
func (s *settings) proxies() (nets []netip.Prefix, err error) {
	for _, said := range s.Console.Proxies {
		net, err := netip.ParsePrefix(said)
		if at, aerr := netip.ParseAddr(said); aerr == nil {
			net, err = netip.PrefixFrom(at, at.BitLen()), nil
		}
		if err != nil {
			return nil, upkeep.Errorf(upkeep.CodeInvalid, "console.proxies: %q is no address and no net", said)
		}
		nets = append(nets, net)
	}
	return nets, nil
}

// limits are how many interventions that begin by themselves may be under way
// at once, and how much of a line backups may take.
type limits struct {
	Fleet  int `json:"at_once"`            // on all sites
	Client int `json:"at_once_per_client"` // on those of one client

	Upload   int64 `json:"upload"`   // bytes a second to the vault's storage; 0 is as fast as it goes
	Transfer int64 `json:"transfer"` // bytes a second from all hosts together, for backups; 0 likewise
}

func (l limits) asked() schedule.Limits { return schedule.Limits{Fleet: l.Fleet, Client: l.Client} }

// What config.json need not say.
const (
	defaultSilence = 90 * time.Second
	defaultFeedAge = time.Minute

	defaultAtOnce, defaultPerClient = 4, 2

	defaultURL = "http://localhost:8080"
)

func readSettings(dir string) (s settings, err error) {
	path := filepath.Join(dir, "config.json")
	defer upkeep.Wrap(&err, "read %s", path)
	s.Agents, s.Vault = dir+"-agents", filepath.Join(dir, "vault")
	s.Silence, s.FeedAge = upkeep.Duration(defaultSilence), upkeep.Duration(defaultFeedAge)
	s.Console.URL = defaultURL
	s.Limits = limits{Fleet: defaultAtOnce, Client: defaultPerClient}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	defer f.Close()
	decoder := json.NewDecoder(f)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return s, upkeep.Errorf(upkeep.CodeInvalid, "%w", inWords(err)).
			WithHint("Known are wordpress.api, wordpress.downloads, dokuwiki.downloads, dokuwiki.updates, dokuwiki.repository, joomla.updates, joomla.downloads, joomla.root, drupal.history, mediawiki.releases, mediawiki.api, mediawiki.keys, trusted, agents, vault, ssh_config, silence, feed_age, limits.at_once, limits.at_once_per_client, limits.upload, limits.transfer, console.url, console.proxies.")
	}
	return s, s.validate()
}

// inWords says what is wrong with the form of the settings without the names
// that only a programmer knows.
func inWords(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field == "" {
			return upkeep.Causef("want an object in braces, got %s", wrong.Value)
		}
		return upkeep.Causef("%s: %s does not fit", wrong.Field, wrong.Value)
	}
	if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		return upkeep.Causef("no JSON at byte %d: %w", wrong.Offset, wrong)
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return upkeep.Causef("unknown field %s", field)
	}
	return err
}

// validate returns CodeInvalid naming the first setting that is wrong.
func (s *settings) validate() error {
	for name, folder := range map[string]string{"agents": s.Agents, "vault": s.Vault} {
		if !filepath.IsAbs(folder) {
			return upkeep.Errorf(upkeep.CodeInvalid, "%s %q: want an absolute folder", name, folder)
		}
	}
	for name, address := range map[string]string{
		"wordpress.api": s.WordPress.API, "wordpress.downloads": s.WordPress.Downloads,
		"dokuwiki.downloads": s.DokuWiki.Downloads, "dokuwiki.updates": s.DokuWiki.Updates, "dokuwiki.repository": s.DokuWiki.Repository,
		"joomla.updates": s.Joomla.Updates, "joomla.downloads": s.Joomla.Downloads,
		"drupal.history":     s.Drupal.History,
		"mediawiki.releases": s.MediaWiki.Releases, "mediawiki.api": s.MediaWiki.API,
	} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			return upkeep.Errorf(upkeep.CodeInvalid, "%s %q: want http:// or https:// and a host", name, address)
		}
	}
	for name, file := range map[string]string{"ssh_config": s.SSHConfig, "mediawiki.keys": s.MediaWiki.Keys} {
		if file != "" && !filepath.IsAbs(file) {
			return upkeep.Errorf(upkeep.CodeInvalid, "%s %q: want an absolute file", name, file)
		}
	}
	if s.Silence < upkeep.Duration(time.Second) {
		return upkeep.Errorf(upkeep.CodeInvalid, "silence %s: want at least 1s", time.Duration(s.Silence))
	}
	if s.Limits.Fleet < 1 || s.Limits.Client < 1 {
		return upkeep.Errorf(upkeep.CodeInvalid, "limits %d and %d: want 1 or more", s.Limits.Fleet, s.Limits.Client)
	}
	if s.Limits.Upload < 0 || s.Limits.Transfer < 0 {
		return upkeep.Errorf(upkeep.CodeInvalid, "limits %d and %d bytes a second: want 0 or more", s.Limits.Upload, s.Limits.Transfer)
	}
	if s.FeedAge < 0 {
		return upkeep.Errorf(upkeep.CodeInvalid, "feed_age %s: want 0s or more", time.Duration(s.FeedAge))
	}
	if _, err := s.origin(); err != nil {
		return err
	}
	_, err := s.proxies()
	return err
}
