// The tables of mqtt-packet, which its own types leave out; MQTT5_…_CODES have the codes that packets may have.
declare module "mqtt-packet/constants.js" {
  const constants: Record<string, Record<string, unknown>>;
  export default constants;
}
