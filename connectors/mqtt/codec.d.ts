// The tables of mqtt-packet, which its own types leave out: what each code is called in the packets that may have it.
declare module "mqtt-packet/constants.js" {
  type Codes = Record<string, string>;
  const constants: Record<
    "MQTT5_PUBACK_PUBREC_CODES" | "MQTT5_SUBACK_CODES" | "MQTT5_UNSUBACK_CODES" | "MQTT5_DISCONNECT_CODES",
    Codes
  >;
  export default constants;
}
