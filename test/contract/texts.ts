// One line each, short enough for every platform: what a connector must carry unchanged, both ways.

/** Scripts, directions, composed and decomposed accents, emoji made of several code points, and what parsers trip over. */
export const scripts: readonly string[] = [
  "Ünïcödé naïve façade, decomposed e\u0301 too",
  "Привет, мир! Γειά σου Κόσμε. Բարեւ",
  "שלום עולם and مرحبا بالعالم in one line",
  "你好世界 こんにちは世界 안녕하세요 세계 𠜎𠜱",
  "नमस्ते दुनिया สวัสดีชาวโลก தமிழ் አማርኛ",
  "👩🏽‍🚀 👨‍👩‍👧‍👦 🏳️‍🌈 🇺🇳 1️⃣",
  `quotes " ' \\ / <b>&amp;</b> {"a":1} $HOME %s %d`,
];
