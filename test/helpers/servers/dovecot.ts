// dovecot: mailboxes over IMAP, filled through LMTP. Every name is a user, and all have the same password.
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeCertificate } from "../certificate.ts";
import { freePort } from "../ports.ts";
import { Daemon } from "./daemon.ts";
import { MailUser } from "./mailUser.ts";

export interface Dovecot extends Daemon {
  port: number;
  tlsPort: number;
  lmtpPort: number;
  certFile: string;
  /** Whoever has no connection loses all mail. */
  empty(user: string): void;
  /** A folder gets another UIDVALIDITY and other UIDs, as after a restore from a backup: the last mail is the first now. Only while it is stopped. */
  renumber(user: string): void;
}

export const mailPassword = "sesame";

/** Writes its configuration; call start(). `folder` is temporary. */
export async function makeDovecot(folder: string): Promise<Dovecot> {
  const [port, tlsPort, lmtpPort] = [await freePort(), await freePort(), await freePort()];
  const base = join(folder, "dovecot");
  const mail = join(base, "mail");
  mkdirSync(mail, { recursive: true });
  chmodSync(folder, 0o755); // its processes for mail are another user's
  chownSync(mail, 65534, 65534);
  const { certFile, keyFile } = makeCertificate(base);
  const file = join(base, "dovecot.conf");
  writeFileSync(
    file,
    `base_dir=${base}/run
state_dir=${base}/state
log_path=/dev/stderr
protocols=imap lmtp
listen=127.0.0.1
ssl=yes
ssl_cert=<${certFile}
ssl_key=<${keyFile}
disable_plaintext_auth=no
auth_failure_delay=0
default_internal_user=nobody
default_login_user=nobody
default_internal_group=nogroup
first_valid_uid=1
mail_location=maildir:~/Maildir
mail_home=${mail}/%n
mail_max_userip_connections=100
recipient_delimiter=+
passdb {
  driver=static
  args=password=${mailPassword}
}
userdb {
  driver=static
  args=uid=nobody gid=nogroup home=${mail}/%n
}
service imap-login {
  chroot=
  inet_listener imap {
    port=${port}
  }
  inet_listener imaps {
    port=${tlsPort}
    ssl=yes
  }
}
service anvil {
  chroot=
}
service stats {
  chroot=
}
service lmtp {
  inet_listener lmtp {
    address=127.0.0.1
    port=${lmtpPort}
  }
}
`,
  );
  const ready = async (): Promise<void> => {
    const user = await MailUser.connect("probe", port);
    user.close();
  };
  const daemon = new Daemon({ program: "dovecot", args: ["-F", "-c", file], folder: base, ready });
  return Object.assign(daemon, {
    port,
    tlsPort,
    lmtpPort,
    certFile,
    empty(user: string) {
      rmSync(join(mail, user), { recursive: true, force: true });
    },
    renumber(user: string) {
      const list = join(mail, user, "Maildir", "dovecot-uidlist");
      const [head = "", ...lines] = readFileSync(list, "utf8").trimEnd().split("\n");
      const next = 1 + lines.length;
      const renumbered = lines.reverse().map((line, n) => line.replace(/^\d+/, String(1 + n)));
      const changed = head.replace(/V(\d+) N\d+/, (_all, was: string) => `V${Number(was) + 7} N${next}`);
      writeFileSync(list, `${[changed, ...renumbered].join("\n")}\n`);
      for (const name of readdirSync(join(mail, user, "Maildir")))
        if (name.startsWith("dovecot.index")) writeFileSync(join(mail, user, "Maildir", name), ""); // made anew from the list
    },
  });
}
