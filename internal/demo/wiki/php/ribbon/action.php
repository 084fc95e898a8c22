<?php
/**
 * Ribbon: a line at the end of each page.
 *
 * @license GPL-2.0-or-later
 */
if (!defined('DOKU_INC')) die();

class action_plugin_ribbon extends DokuWiki_Action_Plugin
{
    public function register(Doku_Event_Handler $controller)
    {
        $controller->register_hook('TPL_CONTENT_DISPLAY', 'BEFORE', $this, 'show');
    }

    public function show(Doku_Event $event)
    {
        $event->data .= '<p class="ribbon">Ribbon {{version}}</p>';
    }
}
