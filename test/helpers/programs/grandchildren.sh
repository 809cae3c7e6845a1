# Starts children of its own, says their pids, and dies at once when told to ("exit" in a message), leaving them behind.
sleep 1000 &
first=$!
(trap '' TERM; exec sleep 1000) &
echo "{\"text\": \"$first $!\", \"conversation_id\": \"c\"}"
while IFS= read -r line; do
  [[ $line == *exit* ]] && exit 7
done
