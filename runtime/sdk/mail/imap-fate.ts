// spoolway/sdk/mail/imap-fate: why an IMAP connection (imapflow's) could not be opened or was lost, as an error with the fate that it asks for.
import { reconnect, SpoolwayError, stop } from "../../sdk.ts";
import { mailProblem, type MailServer } from "./server.ts";

/** As imapflow throws them. */
export interface ImapError extends Error {
  code?: string | undefined;
  authenticationFailed?: boolean | undefined;
  mailboxMissing?: boolean | undefined;
  /** AUTHENTICATIONFAILED, UNAVAILABLE … (RFC 5530) */
  serverResponseCode?: string | undefined;
  responseText?: string | undefined;
}

const loginHint =
  "Check user and password. Many providers want an app password, made in the account's security settings, and IMAP switched on.";
const shownFolders = 30;

/** `existing`: the folders that there are, where the one that is wanted is not among them. */
export function imapFate(
  error: ImapError,
  folder: string,
  server: MailServer,
  existing: readonly string[] = [],
): SpoolwayError {
  if (error instanceof SpoolwayError) return error;
  const { message, responseText: words = message } = error;
  if (error.authenticationFailed && !isPassing(error))
    return stop(`the IMAP server refused the login: ${words}`, loginHint);
  if (error.mailboxMissing) {
    const more = existing.length > shownFolders ? " …" : "";
    const those =
      existing.length > 0 ? ` There are: ${existing.slice(0, shownFolders).join(", ")}${more}` : "";
    const hint = `Change folders in connectors.yml.${those}`;
    return stop(`there is no folder ${folder}: ${words}`, hint, "no_such_folder");
  }
  if (error.responseText === undefined) return mailProblem(error, server);
  return reconnect(`the IMAP server says: ${words}`, {
    hint: "It is tried again by itself. If it stays, ask who runs the server.",
    cause: error,
  });
}

/** The server cannot now, and says so. */
export const isPassing = ({ serverResponseCode = "" }: ImapError): boolean =>
  /^(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG)$/.test(serverResponseCode);
