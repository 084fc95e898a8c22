<?php
namespace Joomla\Component\Joomlaupdate\Administrator\Model;

use Joomla\CMS\Factory;
use Joomla\CMS\Installer\Installer;

class UpdateModel {
	public function finaliseUpgrade() {
		require_once JPATH_ADMINISTRATOR . '/components/com_admin/script.php';
		(new \JoomlaInstallerScript())->deleteUnexistingFiles();
		$db       = Factory::getDbo();
		$manifest = simplexml_load_file(JPATH_ADMINISTRATOR . '/manifests/files/joomla.xml');
		Installer::migrate(JPATH_ADMINISTRATOR . '/components/com_admin/sql/updates/mysql', 1);
		$db->setQuery('UPDATE #__extensions SET manifest_cache = ' . $db->quote(json_encode(array('version' => (string) $manifest->version))) . ' WHERE extension_id = 1')->execute();
		return true;
	}

	public function purge() {
		return (bool) Factory::getDbo()->setQuery("DELETE FROM #__updates WHERE element = 'joomla'")->execute();
	}
}
