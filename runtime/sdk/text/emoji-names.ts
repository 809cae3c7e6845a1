// spoolway/sdk/text/emoji-names: the short names of common emoji (:tada:), for platforms whose reactions are names (Slack, Mattermost, GitHub). The first name of a character is the
// one that is written; others are understood. What is not here has to be given by its name.

const table =
  "👍 +1 thumbsup|👎 -1 thumbsdown|❤️ heart|😂 joy|😄 smile|😀 grinning|😃 smiley|😁 grin|😆 laughing satisfied|😅 sweat_smile|🤣 rolling_on_the_floor_laughing rofl|🙂 slightly_smiling_face|" +
  "😉 wink|😊 blush|😍 heart_eyes|😘 kissing_heart|😎 sunglasses|🤔 thinking_face thinking|😐 neutral_face|🙄 face_with_rolling_eyes|😏 smirk|😮 open_mouth|😢 cry|😭 sob|😡 rage|😠 angry|😱 scream|" +
  "😴 sleeping|😇 innocent|🤯 exploding_head|🥳 partying_face|🤗 hugging_face|🤷 shrug|🤦 face_palm facepalm|🙈 see_no_evil|💩 hankey poop|👀 eyes|👋 wave|👏 clap|🙏 pray|🙌 raised_hands|💪 muscle|" +
  "👌 ok_hand|✌️ v|🤝 handshake|✋ hand raised_hand|👉 point_right|👈 point_left|👆 point_up_2|👇 point_down|☝️ point_up|🎉 tada|🎊 confetti_ball|🚀 rocket|🔥 fire|⭐ star|🌟 star2|✨ sparkles|" +
  "💯 100|✅ white_check_mark|☑️ ballot_box_with_check|✔️ heavy_check_mark|❌ x|❎ negative_squared_cross_mark|⚠️ warning|❓ question|❗ exclamation heavy_exclamation_mark|➕ heavy_plus_sign|➖ heavy_minus_sign|🚫 no_entry_sign|⛔ no_entry|" +
  "🛑 octagonal_sign|🔴 red_circle|🟢 large_green_circle|🟡 large_yellow_circle|🔵 large_blue_circle|💡 bulb|📌 pushpin|📎 paperclip|📝 memo pencil|📣 mega|🔔 bell|🔒 lock|🔓 unlock|🔑 key|🔗 link|🔍 mag|" +
  "⏳ hourglass_flowing_sand|⌛ hourglass|⏰ alarm_clock|📅 date|🐛 bug|🎈 balloon|🎁 gift|🏆 trophy|🥇 first_place_medal|☕ coffee|🍺 beer|🍻 beers|🍕 pizza|🍰 cake|☀️ sunny|🌈 rainbow|⚡ zap|" +
  "💔 broken_heart|💙 blue_heart|💚 green_heart|💛 yellow_heart|💜 purple_heart|🖤 black_heart|🧡 orange_heart|🤖 robot_face robot|👻 ghost|💀 skull|🐶 dog|🐱 cat|1️⃣ one|2️⃣ two|3️⃣ three|4️⃣ four|5️⃣ five";

/** Without the variation selector, which some write and some do not. */
const bare = (emoji: string): string => emoji.replaceAll("\ufe0f", "");

const rows = table.split("|").map((row) => row.split(" ") as [string, string, ...string[]]);
const names = new Map(rows.map(([emoji, name]) => [bare(emoji), name]));
const characters = new Map(
  rows.flatMap(([emoji, ...all]) => all.map((name): [string, string] => [name, emoji])),
);

/** The name of an emoji; a name (with colons or without) is itself. Undefined: neither. */
export function emojiName(given: string): string | undefined {
  const name = given.replaceAll(/^:|:$/g, "");
  return names.get(bare(given)) ?? (/^[a-z0-9_+'-]+(?:::skin-tone-[2-6])?$/.test(name) ? name : undefined);
}

/** The emoji of a name, or the name where it has none here (a platform's own). */
export function emojiOf(name: string): string {
  return characters.get(name) ?? name;
}
