import type { Check } from "../../runtime/config/validate.ts";

export const checkDefaults: Check;
export const checkPolicyEntry: Check;
export const checkRuntime: Check;
