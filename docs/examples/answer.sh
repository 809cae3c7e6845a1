#!/usr/bin/env bash
# Answers every message, and puts its event away.
set -euo pipefail
shopt -s nullglob
export LC_ALL=C
home=${SPOOLWAY_HOME:-.}
mkdir -p "$home/done"
while :; do
  for event in "$home"/spool/inbox/*.json; do
    if jq -e '.kind == "message" and .reply and .content.text and (.sender.is_self | not)' "$event" >/dev/null; then
      outbox=$home/spool/outbox/$(jq -r .reply.connector "$event")
      id=re-$(jq -r .id "$event") # answered twice after a crash, it is still one message
      jq --arg id "$id" '.reply + {id: $id, text: ("you said: " + .content.text)}' "$event" >"$outbox/.$id.tmp"
      mv "$outbox/.$id.tmp" "$outbox/$id.json"
    fi
    mv "$event" "$home/done/"
  done
  sleep 0.5
done
