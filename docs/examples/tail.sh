#!/usr/bin/env bash
# The same with the command line, which does the looking back: one event per line.
set -euo pipefail
npx spoolway tail --follow --lines 0 --json | while IFS= read -r event; do
  jq -r '"\(.connector.instance): \(.content.text // .kind)"' <<<"$event"
done
