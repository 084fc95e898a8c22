<?php
/**
 * Plain Paper: the page and nothing else.
 *
 * @license GPL-2.0-or-later
 */
if (!defined('DOKU_INC')) die();
?><!DOCTYPE html>
<html lang="<?php echo $conf['lang'] ?>">
<head>
    <meta charset="utf-8" />
    <title><?php tpl_pagetitle() ?> [<?php echo strip_tags($conf['title']) ?>]</title>
    <?php tpl_metaheaders() ?>
</head>
<body class="dokuwiki">
    <?php html_msgarea() ?>
    <div class="page"><?php tpl_content(false) ?></div>
    <footer>Plain Paper {{version}}</footer>
</body>
</html>
