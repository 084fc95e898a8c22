<?php
// Runs a program once and says how that went. What it is given on its command
// line is no secret.
// PHP 7.4 to 8.x.
$in  = json_decode(file_get_contents('php://fd/3'), true);
$out = fopen('php://fd/4', 'w');
$head = (string) @file_get_contents($in['command'], false, null, 0, 64);
// A phar or a script for PHP runs with the site's PHP, whatever env finds first.
$command = preg_match('~^(#!.*\bphp|<\?php)~', $head) ? array(PHP_BINARY, '-d', 'memory_limit=-1', $in['command']) : array($in['command']);
$process = proc_open(array_merge($command, $in['arguments']), array(0 => array('file', '/dev/null', 'r'), 1 => array('pipe', 'w'), 2 => array('redirect', 1)), $pipes, $in['dir'], $in['environment']);
$answer  = array('code' => -1, 'text' => '', 'late' => false);
if (is_resource($process)) {
	stream_set_blocking($pipes[1], false);
	$end = microtime(true) + $in['seconds'];
	while (!feof($pipes[1]) && !$answer['late']) {
		$ready = array($pipes[1]);
		$none  = null;
		if (stream_select($ready, $none, $none, 1)) {
			$answer['text'] = substr($answer['text'] . fread($pipes[1], 65536), -16384);
		}
		$answer['late'] = microtime(true) > $end;
	}
	if ($answer['late']) {
		proc_terminate($process, 9);
	}
	$answer['code'] = proc_close($process);
}
echo $answer['text'];
fwrite($out, json_encode($answer, JSON_INVALID_UTF8_SUBSTITUTE));
