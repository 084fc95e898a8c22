<?php
fwrite(fopen('php://fd/4', 'w'), json_encode(PHP_VERSION));
