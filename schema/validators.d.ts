/** Compiled JSON Schema validators: true when valid, else the first errors stand in `.errors`. */
export interface Validator {
  (data: unknown): boolean;
  errors?: Array<{ instancePath: string; keyword: string; message?: string; params: Record<string, unknown> }> | null;
}
export const connectorsFile: Validator;
export const deadLetter: Validator;
export const execLine: Validator;
export const heartbeat: Validator;
export const inbound: Validator;
export const manifest: Validator;
export const outgoingMessage: Validator;
export const attempt: Validator;
export const runtime: Validator;
export const receipt: Validator;
export const retry: Validator;
export const supervisor: Validator;
