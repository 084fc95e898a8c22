<?php
/**
 * ~~TALLY~~ shows the total in a page.
 *
 * @license GPL-2.0-or-later
 */
if (!defined('DOKU_INC')) die();

class syntax_plugin_tally_total extends DokuWiki_Syntax_Plugin
{
    public function getType()
    {
        return 'substition';
    }

    public function getSort()
    {
        return 155;
    }

    public function connectTo($mode)
    {
        $this->Lexer->addSpecialPattern('~~TALLY~~', $mode, 'plugin_tally_total');
    }

    public function handle($match, $state, $pos, Doku_Handler $handler)
    {
        return array('{{version}}');
    }

    public function render($format, Doku_Renderer $renderer, $data)
    {
        if ($format === 'xhtml') {
            $renderer->doc .= '<b>total of ' . $data[0] . '</b>';
        }
        return true;
    }
}
