#!/usr/bin/env php
<?php // {{version}}
