import type { Validator } from "./messages.js";

export const connectorsFile: Validator;
export const execLine: Validator;
export const heartbeat: Validator;
export const manifest: Validator;
export const runtime: Validator;
export const supervisor: Validator;
