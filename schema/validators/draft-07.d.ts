import type { Validator } from "./messages.js";

export const draft07: Validator;
