<?php require dirname(__DIR__, 2) . "/includes/defines.php";
