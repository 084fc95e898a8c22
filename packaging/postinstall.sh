#!/bin/sh
# A new unit is made known; whether the daemon runs is the operator's choice.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl try-restart upkeep.service
fi
