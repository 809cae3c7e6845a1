#!/usr/bin/env bash
# send.sh CONNECTOR CONVERSATION TEXT: drops a message and waits for what becomes of it. Exit code 0: sent, 1: failed, 3: neither in time.
set -euo pipefail
connector=$1 conversation=$2 text=$3
spool=${SPOOLWAY_HOME:-.}/spool
id=$(date +%s)-$$-$RANDOM

outbox=$spool/outbox/$connector
jq -n --arg id "$id" --arg to "$conversation" --arg text "$text" \
  '{id: $id, conversation_id: $to, text: $text}' >"$outbox/.$id.tmp"
mv "$outbox/.$id.tmp" "$outbox/$id.json"

for _ in {1..150}; do
  if [[ -e $spool/sent/$connector/$id.json ]]; then
    jq -r '"sent after \(.attempts) attempt(s)"' "$spool/sent/$connector/$id.json"
    exit 0
  fi
  if [[ -e $spool/failed/$connector/$id.json ]]; then
    jq -r '"failed: \(.code): \(.error)"' "$spool/failed/$connector/$id.json" >&2
    exit 1
  fi
  sleep 0.2
done
echo "it waits as $id" >&2
exit 3
