#!/usr/bin/env bash
# Prints what came in, in order, and puts each event away: what is still in the inbox was not handled.
set -euo pipefail
shopt -s nullglob
export LC_ALL=C # names sort by time
home=${SPOOLWAY_HOME:-.}
mkdir -p "$home/done"
while :; do
  for event in "$home"/spool/inbox/*.json; do
    jq -r '"\(.connector.instance) \(.sender.id // "?"): \(.content.text // .kind)"' "$event"
    mv "$event" "$home/done/" # handled: from here on it does not come again
  done
  sleep 0.5
done
