import type { Validator } from "./messages.js";

export const heartbeat: Validator;
export const manifest: Validator;
export const supervisor: Validator;
