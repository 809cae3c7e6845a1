// spoolway/sdk/mail/smtp-fate: what an SMTP server answers, or that it answers nothing, as the fate of the message (RFC 5321, 4.2; RFC 3463).
//
//   5xx at the login        stop                        4xx             retry
//   552, 5.3.4, SIZE        reject, too_large           other 5xx       reject, with the server's words
//   nothing                 uncertain when the whole mail was written, else reconnect: a mail without its last line is none
import { reconnect, reject, retry, SpoolwayError, stop, uncertain } from "../../sdk.ts";

/** As nodemailer's SMTP connection throws them. */
export interface SmtpError extends Error {
  /** EAUTH, EENVELOPE, ECONNECTION … */
  code?: string | undefined;
  responseCode?: number | undefined;
  /** The answer as it came. */
  response?: string | undefined;
}

const loginHint =
  "Check user and password. Many providers want an app password, made in the account's security settings, and SMTP access switched on.";
const refusalHint =
  "The mail server refused it. Is the recipient's address right, and may this account send from `address`?";
const sizeHint = "The mail server takes no mail of this size. Send a link instead of the file.";

export function smtpFate(thrown: SmtpError, wasWritten: boolean): SpoolwayError {
  if (thrown instanceof SpoolwayError) return thrown;
  const { code, responseCode = 0 } = thrown;
  const words = thrown.response ?? thrown.message;
  const options = { cause: thrown };
  const isTooLarge =
    responseCode === 552 || /\b5\.3\.4\b/.test(words) || (code === "EMESSAGE" && /size/i.test(words));
  if (isTooLarge) return reject(words, "too_large", { ...options, hint: sizeHint });
  if (responseCode >= 500) {
    const isLogin = code === "EAUTH" || [530, 534, 535].includes(responseCode);
    if (isLogin) return stop(`the SMTP server refused the login: ${words}`, loginHint);
    return reject(words, "rejected", { ...options, hint: refusalHint });
  }
  if (responseCode >= 400) return retry(words, options);
  // Without an answer: refused by our own library, before anything was said.
  if (code === "EENVELOPE") return reject(words, "rejected", { ...options, hint: refusalHint });
  if (code === "EAUTH") return stop(`no login at the SMTP server: ${words}`, loginHint);
  return wasWritten ? uncertain(words, options) : reconnect(`the SMTP server: ${words}`, options);
}
