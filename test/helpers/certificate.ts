// A self-signed certificate for 127.0.0.1 and localhost, made by openssl.
import { execFileSync } from "node:child_process";
import { join } from "node:path";

export interface Certificate {
  certFile: string;
  keyFile: string;
}

/** Writes cert.pem and key.pem into the folder. Clients trust it by naming certFile as their certificate authority. */
export function makeCertificate(folder: string): Certificate {
  const certFile = join(folder, "cert.pem");
  const keyFile = join(folder, "key.pem");
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const out = ["-keyout", keyFile, "-out", certFile, "-days", "2"];
  execFileSync("openssl", ["req", "-x509", ...key, ...out, ...subject], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  return { certFile, keyFile };
}
