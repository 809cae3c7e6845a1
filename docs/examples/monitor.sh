#!/usr/bin/env bash
# Says what is wrong, one line each; exit code 1 if anything is. For cron, Nagios and the like; it needs jq and nothing of Spoolway.
set -euo pipefail
shopt -s nullglob
spool=${SPOOLWAY_HOME:-.}/spool
status=$spool/heartbeat/_supervisor.json
problems=$(
  if [[ ! -e $status ]]; then
    echo "the bus never ran here"
  elif ! jq -e '(now - (.beat_at | sub("\\.[0-9]+"; "") | fromdate)) < 30' "$status" >/dev/null; then
    echo "the bus is not running: its last sign is of $(jq -r .beat_at "$status")"
  else
    jq -r '.connectors[] | select(.state | IN("live", "paused", "disabled") | not)
      | "\(.name) is \(.state): \(.error.message // "") \(.user_action // "")"' "$status"
    jq -r '.config_errors[]?, (.orphan_outboxes[]? | "outbox/\(.name): \(.files) file(s) that no connector sends")' "$status"
    for name in $(jq -r '.connectors[].name' "$status"); do
      beat=$spool/heartbeat/$name.json
      [[ -e $beat ]] || continue
      jq -r 'select(.oldest_waiting_s > 600) | "\(.name): a message waits for \(.oldest_waiting_s) s"' "$beat"
    done
  fi
)
[[ -z $problems ]] && exit 0
printf '%s\n' "$problems"
exit 1
