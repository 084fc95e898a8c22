<?php
$lang["total"] = "total";
