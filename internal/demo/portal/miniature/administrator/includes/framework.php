<?php require dirname(__DIR__, 2) . "/includes/framework.php";
