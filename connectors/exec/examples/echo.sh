#!/usr/bin/env bash
# Echo bot in Bash alone: what is sent to it comes back as an event.
#
#     - name: echo
#       type: exec
#       command: [bash, ./echo.sh]
#
# `id` always comes first in a message, and Bash can copy JSON strings without unpacking them. Anything more is a case for jq.
set -u
string='"(([^"\\]|\\.)*)"'

echo '{"ready": true}'
while IFS= read -r line; do # ends when Spoolway closes stdin: the sign to stop
  [[ $line =~ ^\{\"send\":\{\"id\":$string ]] || continue
  id=${BASH_REMATCH[1]}
  text='' conversation=''
  [[ $line =~ \"text\":$string ]] && text=${BASH_REMATCH[1]}
  [[ $line =~ \"conversation_id\":$string ]] && conversation=${BASH_REMATCH[1]}
  # Here it would go to the platform; the answer comes when the platform has it.
  printf '{"sent": "%s", "platform_id": "echo-%s"}\n' "$id" "$id"
  printf '{"text": "%s", "conversation_id": "%s", "sender": {"id": "echo", "is_bot": true}, "key": ["echo", "%s"]}\n' \
    "$text" "$conversation" "$id"
done
