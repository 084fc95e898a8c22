<?php
// Evaluates a configuration that is not static and answers with the values
// asked for, however it ends. The application itself does not start: what a
// configuration loads of it ends at once, or fails for want of its folder.
error_reporting(0);
$upkeep = json_decode(stream_get_contents(fopen('php://fd/3', 'r')), true);
$upkeep_returned = null;
$upkeep_finished = false;
register_shutdown_function(static function () use ($upkeep, &$upkeep_returned, &$upkeep_finished) {
	$answer = ['values' => [], 'finished' => $upkeep_finished];
	foreach ($upkeep['paths'] as $path) {
		$keys = explode('/', $path);
		if ($path[0] === '$' || $upkeep['form'] === 'variables') {
			$name = ltrim(array_shift($keys), '$');
			$value = isset($GLOBALS[$name]) ? $GLOBALS[$name] : null;
		} elseif ($upkeep['form'] === 'constants') {
			$name = array_shift($keys);
			$value = defined($name) ? constant($name) : null;
		} else {
			$value = $upkeep['into'] !== '' && isset($GLOBALS[$upkeep['into']]) ? $GLOBALS[$upkeep['into']] : $upkeep_returned;
		}
		foreach ($keys as $key) {
			$value = is_object($value) ? (isset($value->$key) ? $value->$key : null) : (is_array($value) && isset($value[$key]) ? $value[$key] : null);
		}
		if (is_scalar($value)) {
			$answer['values'][$path] = base64_encode((string) $value);
		}
	}
	$answer['values'] = (object) $answer['values'];
	fwrite(fopen('php://fd/4', 'w'), json_encode($answer));
});
foreach ($upkeep['before'] as $upkeep_name => $upkeep_value) {
	define($upkeep_name, $upkeep_value);
}
chdir($upkeep['root']);
$upkeep_returned = require $upkeep['file'];
if ($upkeep['into'] !== '' && $upkeep['form'] === 'returned') {
	$GLOBALS[$upkeep['into']] = $upkeep_returned;
}
foreach ((array) $upkeep['after'] as $upkeep_file) {
	$upkeep_so_far = $upkeep['form'] === 'variables' ? $GLOBALS[$upkeep['into']] : null;
	require $upkeep_file;
	if (is_array($upkeep_so_far)) {
		$GLOBALS[$upkeep['into']] = array_merge($upkeep_so_far, (array) $GLOBALS[$upkeep['into']]);
	}
}
$upkeep_finished = true;
