#!/usr/bin/env bash
# Gives a program what came in on a day (default: yesterday, UTC), in order, one event per line on its stdin:  replay.sh [-d 20261120] COMMAND…
set -euo pipefail && shopt -s nullglob && export LC_ALL=C
day=$(date -u -d yesterday +%Y%m%d) && [[ ${1:-} != -d ]] || { day=$2 && shift 2; }
cd "${SPOOLWAY_HOME:-.}"
for event in spool/inbox/"$day"T*.json done/"$day"T*.json; do # what was put away, and what was not
  echo "${event##*/} $event"
done | sort | cut -d' ' -f2- | xargs -r -d '\n' cat | "$@"
