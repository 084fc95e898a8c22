// Package portal is Joomla's world in small, for the tests: extensions of our
// own in good releases and in ones that break in one known way, releases of
// Joomla packed from an unpacked one, and a joomla.org that signs and offers
// them. The sources are GPL-2.0-or-later.
package portal

import (
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The extensions: Tally is a system plugin with a table of its own; Ribbon is
// another, which comes in a package with the rest of it.
const (
	Tally  = "upkeeptally"
	Ribbon = "upkeepribbon"
)

// Fault is one way in which a release breaks.
type Fault string

// Faults of the code, and of the package.
const (
	None  Fault = ""
	Wipes Fault = "wipes" // its migration deletes what the owner wrote, and every request dies
	Lies  Fault = "lies"  // an older version inside than promised
	Free  Fault = "free"  // the free edition of what is installed as the paid one
)

// Release is one release of an extension.
type Release struct {
	Element string
	Version string
	Fault   Fault
}

// With returns the release with a fault.
func (r Release) With(fault Fault) Release {
	r.Fault = fault
	return r
}

// Feed is the update site's type and element that a release is offered as.
func (r Release) Feed() (kind, element, folder string) {
	if r.Element == Ribbon {
		return "package", "pkg_" + Ribbon, ""
	}
	return "plugin", r.Element, "system"
}

// Package returns the zip.
func (r Release) Package() ([]byte, error) {
	files, err := r.files()
	if err != nil {
		return nil, err
	}
	return pack(files)
}

// files are what is in the zip.
func (r Release) files() (map[string]string, error) {
	files := plugin(r)
	if r.Element != Ribbon {
		return files, nil
	}
	inner, err := pack(files)
	return map[string]string{
		"pkg_" + Ribbon + ".xml": strings.NewReplacer("VERSION", r.inside(), "NAME", r.name()).Replace(packageManifest),
		"plg_ribbon.zip":         string(inner),
	}, err
}

func (r Release) inside() string {
	if r.Fault == Lies {
		return "0.1"
	}
	return r.Version
}

func (r Release) name() string {
	if r.Fault == Free {
		return "Upkeep " + r.Element
	}
	return "Upkeep " + r.Element + " Pro"
}

const packageManifest = `<?xml version="1.0" encoding="UTF-8"?>
<extension type="package" method="upgrade">
	<name>NAME</name><packagename>upkeepribbon</packagename><version>VERSION</version>
	<files><file type="plugin" id="upkeepribbon" group="system">plg_ribbon.zip</file></files>
	<updateservers><server type="extension" name="Ribbon">https://ribbon.example/updates.xml</server></updateservers>
</extension>
`

const pluginManifest = `<?xml version="1.0" encoding="UTF-8"?>
<extension type="plugin" group="system" method="upgrade">
	<name>NAME</name><author>Example Works</author><version>VERSION</version>
	<scriptfile>script.php</scriptfile>
	<files><filename plugin="ELEMENT">ELEMENT.php</filename><folder>sql</folder></files>
	<media destination="plg_system_ELEMENT" folder="media"><filename>style.css</filename></media>
	<install><sql><file driver="mysql" charset="utf8">sql/install.sql</file><file driver="postgresql" charset="utf8">sql/install.postgresql.sql</file></sql></install>
	<update><schemas><schemapath type="mysql">sql/updates</schemapath><schemapath type="postgresql">sql/postgresql</schemapath></schemas></update>
	<updateservers><server type="extension" name="ELEMENT">https://ELEMENT.example/updates.xml</server></updateservers>
</extension>
`

const pluginSource = `<?php
defined('_JEXEC') or die;
class PlgSystemELEMENT extends Joomla\CMS\Plugin\CMSPlugin {
	public function onAfterRender() {
		$app = Joomla\CMS\Factory::getApplication();
		if (method_exists($app, 'isClient') && $app->isClient('site')) {
			$app->setBody(str_replace('</body>', '<!-- ELEMENT VERSION --></body>', $app->getBody()));
		}
	}
}
`

const pluginScript = `<?php
defined('_JEXEC') or die;
class PlgSystemELEMENTInstallerScript {
	public function update($parent) {
		$db = Joomla\CMS\Factory::getDbo();
		$db->setQuery("INSERT INTO #__ELEMENT (note) VALUES ('updated to VERSION')")->execute();
		return true;
	}
}
`

const pluginWipes = `<?php
defined('_JEXEC') or die;
class PlgSystemELEMENTInstallerScript {
	public function update($parent) {
		$db = Joomla\CMS\Factory::getDbo();
		foreach (array('#__users', '#__menu', '#__ELEMENT') as $table) {
			$db->setQuery('DELETE FROM ' . $table)->execute();
		}
		@unlink(JPATH_ROOT . '/images/joomla_black.png');
		file_put_contents(JPATH_ROOT . '/images/strewn.txt', 'x');
		return true;
	}
}
`

func plugin(r Release) map[string]string {
	script, source := pluginScript, pluginSource
	if r.Fault == Wipes {
		script, source = pluginWipes, "<?php\ndefined('_JEXEC') or die;\nupkeep_no_such_function();\n"
	}
	fill := strings.NewReplacer("ELEMENT", r.Element, "VERSION", r.inside(), "NAME", r.name())
	schema := fill.Replace("INSERT INTO #__ELEMENT (note) VALUES ('schema VERSION');\n")
	return map[string]string{
		r.Element + ".xml":                     fill.Replace(pluginManifest),
		r.Element + ".php":                     fill.Replace(source),
		"script.php":                           fill.Replace(script),
		"media/style.css":                      "/* " + r.Version + " */\n",
		"sql/install.sql":                      fill.Replace("CREATE TABLE IF NOT EXISTS `#__ELEMENT` (id INT AUTO_INCREMENT PRIMARY KEY, note VARCHAR(200) NOT NULL) DEFAULT CHARSET=utf8mb4;\nINSERT INTO `#__ELEMENT` (note) VALUES ('the owner wrote this');\n"),
		"sql/updates/1.0.sql":                  "# 1.0\n",
		"sql/updates/" + r.Version + ".sql":    schema,
		"sql/install.postgresql.sql":           fill.Replace("CREATE TABLE IF NOT EXISTS \"#__ELEMENT\" (id serial PRIMARY KEY, note varchar(200) NOT NULL);\nINSERT INTO \"#__ELEMENT\" (note) VALUES ('the owner wrote this');\n"),
		"sql/postgresql/1.0.sql":               "-- 1.0\n",
		"sql/postgresql/" + r.Version + ".sql": schema,
	}
}

func pack(files map[string]string) ([]byte, error) {
	var out bytes.Buffer
	writer := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		entry, err := writer.Create(name)
		if err != nil {
			return nil, err
		}
		if _, err := io.WriteString(entry, files[name]); err != nil {
			return nil, err
		}
	}
	err := writer.Close()
	return out.Bytes(), err
}

// Core packs an unpacked release of Joomla as joomla.org does, with some files
// changed; "" takes one away.
func Core(file, tree string, change map[string]string) (err error) {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	writer := zip.NewWriter(out)
	err = filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(tree, path)
		if err != nil {
			return err
		}
		if _, changed := change[name]; changed {
			return nil
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return put(writer, filepath.ToSlash(name), body)
	})
	for _, name := range slices.Sorted(maps.Keys(change)) {
		if err == nil && change[name] != "" {
			err = put(writer, name, []byte(change[name]))
		}
	}
	if err != nil {
		return err
	}
	return writer.Close()
}

func put(writer *zip.Writer, name string, body []byte) error {
	entry, err := writer.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
	if err != nil {
		return err
	}
	_, err = entry.Write(body)
	return err
}
