// spoolway/sdk/text/sms-parts: how many short messages a text becomes on the network: in the 7-bit alphabet of GSM 03.38 where it fits, else in UCS-2. Providers bill by part.

const basic = new Set(
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
);
/** These take two places. */
const extended = new Set("\f^{}\\[~]|€");

/** Parts of a text, each with its header where there are several. What takes two places (€, most emoji) is never cut in two, so a part may have a place to spare. */
export function smsParts(text: string): number {
  const chars = [...text];
  const isGsm = chars.every((char) => basic.has(char) || extended.has(char));
  const [alone, joined] = isGsm ? [160, 153] : [70, 67];
  let [parts, used, all] = [1, 0, 0];
  for (const char of chars) {
    const places = isGsm && extended.has(char) ? 2 : char.length;
    if (used + places > joined) [parts, used] = [parts + 1, 0];
    used += places;
    all += places;
  }
  return all <= alone ? 1 : parts;
}
