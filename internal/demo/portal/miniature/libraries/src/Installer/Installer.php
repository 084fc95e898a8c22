<?php
namespace Joomla\CMS\Installer;

use Joomla\CMS\Factory;

// Installer puts plugins in, and packages of them.
class Installer {
	public $message = '';

	public function setDatabase($db) {}

	public function setPath($name, $path) {}

	public function install($dir, $package = 0) {
		$found = glob($dir . '/*.xml');
		$xml   = $found ? simplexml_load_file($found[0]) : false;
		if (!$xml) {
			$this->message = 'no manifest';
			return false;
		}
		if ((string) $xml['type'] === 'package') {
			return $this->package($dir, $xml, $found[0]);
		}
		$name   = (string) $xml->files->filename['plugin'];
		$folder = JPATH_ROOT . '/plugins/' . $xml['group'] . '/' . $name;
		foreach ($xml->files->children() as $entry) {
			self::copy($dir . '/' . $entry, $folder . '/' . $entry);
		}
		foreach ($xml->media->children() as $entry) {
			self::copy($dir . '/' . $xml->media['folder'] . '/' . $entry, JPATH_ROOT . '/media/' . $xml->media['destination'] . '/' . $entry);
		}
		self::copy($found[0], $folder . '/' . $name . '.xml');
		self::copy($dir . '/' . $xml->scriptfile, $folder . '/' . $xml->scriptfile);
		$id = $this->record('plugin', $name, (string) $xml['group'], $xml, $package, $is_new);
		if ($is_new) {
			Factory::getDbo()->script(file_get_contents($dir . '/sql/install.sql'));
		}
		self::migrate($dir . '/sql/updates', $id, $is_new);
		if (!$is_new) {
			require_once $folder . '/' . $xml->scriptfile;
			$class = 'PlgSystem' . $name . 'InstallerScript';
			(new $class())->update($this);
		}
		return true;
	}

	private function package($dir, $xml, $manifest) {
		$id = $this->record('package', 'pkg_' . $xml->packagename, '', $xml, 0, $is_new);
		self::copy($manifest, JPATH_ADMINISTRATOR . '/manifests/packages/' . basename($manifest));
		foreach ($xml->files->file as $file) {
			if (!$this->install(self::unpack($dir . '/' . $file), $id)) {
				return false;
			}
		}
		return true;
	}

	// unpack returns the folder that a zip was unpacked to.
	public static function unpack($file) {
		$dir = $file . '.unpacked';
		$zip = new \ZipArchive();
		$zip->open($file);
		$zip->extractTo($dir);
		return $dir;
	}

	private static function copy($from, $to) {
		if (is_dir($from)) {
			foreach (array_diff(scandir($from), array('.', '..')) as $entry) {
				self::copy("$from/$entry", "$to/$entry");
			}
			return;
		}
		is_dir(dirname($to)) || mkdir(dirname($to), 0755, true);
		copy($from, $to);
	}

	// record notes what an extension's manifest says.
	private function record($type, $name, $group, $xml, $package, &$is_new) {
		$db    = Factory::getDbo();
		$is    = "type = '$type' AND element = " . $db->quote($name) . ' AND folder = ' . $db->quote($group);
		$id    = $db->setQuery("SELECT extension_id FROM #__extensions WHERE $is")->loadResult();
		$cache = $db->quote(json_encode(array('name' => (string) $xml->name, 'version' => (string) $xml->version)));
		$is_new = !$id;
		if ($is_new) {
			$db->setQuery("INSERT INTO #__extensions (package_id, name, type, element, folder, client_id, enabled, protected, locked, state, manifest_cache, params)
				VALUES (" . (int) $package . ', ' . $db->quote((string) $xml->name) . ", '$type', " . $db->quote($name) . ', ' . $db->quote($group) . ", 0, 1, 0, 0, 0, $cache, '{}')")->execute();
			$id = $db->insertid();
			foreach ($xml->updateservers->server as $server) {
				$db->setQuery('INSERT INTO #__update_sites (name, type, location, enabled, extra_query) VALUES (' . $db->quote($name) . ", 'extension', " . $db->quote((string) $server) . ", 1, '')")->execute();
				$db->setQuery('INSERT INTO #__update_sites_extensions VALUES (' . $db->insertid() . ", $id)")->execute();
			}
		}
		$db->setQuery("UPDATE #__extensions SET manifest_cache = $cache WHERE extension_id = $id")->execute();
		return $id;
	}

	// migrate runs what changes the tables since the level that they have.
	public static function migrate($dir, $id, $is_new = false) {
		$db    = Factory::getDbo();
		$level = (string) $db->setQuery('SELECT version_id FROM #__schemas WHERE extension_id = ' . (int) $id)->loadResult();
		$files = array_map(function ($file) { return basename($file, '.sql'); }, glob($dir . '/*.sql'));
		usort($files, 'version_compare');
		foreach ($files as $file) {
			if (!$is_new && version_compare($file, $level, '>')) {
				$db->script(file_get_contents("$dir/$file.sql"));
			}
		}
		$db->setQuery('REPLACE INTO #__schemas VALUES (' . (int) $id . ', ' . $db->quote(end($files)) . ')')->execute();
	}
}
