/** Compiled JSON Schema validators: true when valid, else the first errors stand in `.errors`. */
export interface Validator {
  (data: unknown): boolean;
  errors?: Array<{
    instancePath: string;
    keyword: string;
    message?: string;
    params: Record<string, unknown>;
  }> | null;
}
export const attempt: Validator;
export const deadLetter: Validator;
export const inbound: Validator;
export const outgoingMessage: Validator;
export const receipt: Validator;
export const retry: Validator;
