<?php
class JoomlaInstallerScript {
	public function deleteUnexistingFiles() {
		$files = array('/media/long-gone.txt');
		foreach ($files as $file) {
			is_file(JPATH_ROOT . $file) && unlink(JPATH_ROOT . $file);
		}
	}
}
