#!/bin/sh
# An upgrade restarts the daemon afterwards; only a removal stops it.
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
	systemctl disable --now upkeep.service
fi
