#!/usr/bin/env bash
# Prints every new event once and takes nothing away: other programs can read the same inbox. Bash 5.
set -euo pipefail
shopt -s nullglob
export LC_ALL=C # names compare by time
inbox=${SPOOLWAY_HOME:-.}/spool/inbox
look_back=5 # seconds: names of several connectors may be a little out of order
declare -A seen=()
looked=$EPOCHSECONDS
while :; do
  TZ=UTC0 printf -v horizon '%(%Y%m%dT%H%M%S)T' $((looked - look_back))
  looked=$EPOCHSECONDS
  for event in "$inbox"/*.json; do
    name=${event##*/}
    [[ $name < $horizon || -n ${seen[$name]:-} ]] && continue
    seen[$name]=1
    jq -c '{connector: .connector.instance, text: .content.text}' "$event"
  done
  for name in "${!seen[@]}"; do
    [[ $name < $horizon ]] && unset "seen[$name]"
  done
  sleep 0.5
done
