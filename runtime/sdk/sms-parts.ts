// spoolway/sdk/sms-parts: how many short messages a text becomes on the network: in the 7-bit alphabet of GSM 03.38 where it fits, else in UCS-2. Providers bill by part.

const basic =
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/** These take two places. */
const extended = "\f^{}\\[~]|€";

/** Parts of a text, each with its header where there are several. */
export function smsParts(text: string): number {
  const isGsm = [...text].every((char) => basic.includes(char) || extended.includes(char));
  const wide = isGsm ? [...text].filter((char) => extended.includes(char)).length : 0;
  const [alone, joined] = isGsm ? [160, 153] : [70, 67];
  const places = text.length + wide;
  return places <= alone ? 1 : Math.ceil(places / joined);
}
