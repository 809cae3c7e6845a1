// spoolway/sdk/imap-fate: why an IMAP connection (imapflow's) could not be opened or was lost, as an error with the fate that it asks for.
import { SpoolwayError, stop } from "../sdk.ts";
import { serverProblem } from "./server.ts";

/** As imapflow throws them. */
export interface ImapError extends Error {
  authenticationFailed?: boolean | undefined;
  mailboxMissing?: boolean | undefined;
  /** AUTHENTICATIONFAILED, UNAVAILABLE … (RFC 5530) */
  serverResponseCode?: string | undefined;
  responseText?: string | undefined;
}

const hint =
  "Check user and password. Many providers want an app password, made in the account's security settings, and IMAP switched on.";

export function imapFate(
  error: ImapError,
  folder: string,
  { server, port, security }: { server: string; port: number; security: string },
): SpoolwayError {
  if (error instanceof SpoolwayError) return error;
  const { serverResponseCode = "", message, responseText: words = message } = error;
  const isAway = /^(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG)$/.test(serverResponseCode);
  if (error.authenticationFailed && !isAway) return stop(`the IMAP server refused the login: ${words}`, hint);
  if (error.mailboxMissing)
    return stop(
      `there is no folder ${folder}: ${words}`,
      "Change folders in connectors.yml.",
      "no_such_folder",
    );
  const place = { server, port, tls: security === "tls", tls_verify: true };
  return serverProblem(error, place, { plain: 143, tls: 993 });
}
