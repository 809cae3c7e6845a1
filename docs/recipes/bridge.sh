#!/usr/bin/env bash
# Bridges a channel of the connector `irc` and a room of the connector `xmpp`: what people say in one is said in the other.
set -euo pipefail; shopt -s nullglob; export LC_ALL=C; cd "${SPOOLWAY_HOME:-.}"; mkdir -p bridged
while sleep 0.2; do for event in spool/inbox/*.json; do
  case $(jq -r '"\(.connector.instance) \(.conversation.id)"' "$event") in
    "irc $IRC_CHANNEL") to=xmpp room=$XMPP_ROOM ;; "xmpp $XMPP_ROOM") to=irc room=$IRC_CHANNEL ;; *) continue ;;
  esac
  jq --arg room "$room" 'select(.kind == "message" and .content.text and (.sender.is_self | not)) |
    {id: ("b-" + .id), conversation_id: $room, text: "<\(.sender.username // .sender.id)> \(.content.text)"}' "$event" >bridged/.drop
  [[ ! -s bridged/.drop ]] || mv bridged/.drop "spool/outbox/$to/${event##*/}"
  mv "$event" bridged/
done; done
