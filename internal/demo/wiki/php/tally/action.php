<?php
/**
 * Tally: visitors add lines with POST lib/exe/ajax.php, call=tally_add.
 *
 * @license GPL-2.0-or-later
 */
if (!defined('DOKU_INC')) die();

class action_plugin_tally extends DokuWiki_Action_Plugin
{
    public function register(Doku_Event_Handler $controller)
    {
        $controller->register_hook('TPL_CONTENT_DISPLAY', 'BEFORE', $this, 'show');
        $controller->register_hook('AJAX_CALL_UNKNOWN', 'BEFORE', $this, 'add');
    }

    public function show(Doku_Event $event)
    {
        $event->data .= '<p>Tally {{version}}: ' . $this->loadHelper('tally')->count() . ' lines</p>';
    }

    public function add(Doku_Event $event)
    {
        if ($event->data !== 'tally_add') return;
        $event->preventDefault();
        $event->stopPropagation();
        global $INPUT;
        echo json_encode(array('ok' => $this->loadHelper('tally')->add($INPUT->post->str('text'))));
    }
}
