<?php
// A line below each page, and a table.
class TallyHooks {
	public static function onBeforePageDisplay($out, $skin) {
		// {{fault}}
		$out->addHTML('<p class="tally">Tally {{says}}</p>');
	}

	public static function onLoadExtensionSchemaUpdates($updater) {
		$updater->addExtensionTable('tally_{{table}}', dirname(__DIR__) . '/tally.sql');
	}
}
