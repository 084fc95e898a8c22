<?php
/**
 * What the parts of Tally share.
 *
 * @license GPL-2.0-or-later
 */
if (!defined('DOKU_INC')) die();

class helper_plugin_tally extends DokuWiki_Plugin
{
    public function file()
    {
        global $conf;
        return $conf['metadir'] . '/_tally.log';
    }

    public function count()
    {
        return file_exists($this->file()) ? count(file($this->file())) : 0;
    }

    public function add($text)
    {
        return (bool) file_put_contents($this->file(), str_replace("\n", ' ', $text) . "\n", FILE_APPEND | LOCK_EX);
    }
}
