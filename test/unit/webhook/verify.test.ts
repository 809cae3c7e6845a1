// The schemes, against the examples that their own documentation publishes.
import { createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { VerifyConfig } from "../../../connectors/webhook/config.ts";
import { createVerifier, sameSecret } from "../../../connectors/webhook/verify.ts";

type Headers = Record<string, string>;

/** "ok", or the code of the refusal. */
function outcome(verify: VerifyConfig, headers: Headers, body: string | Buffer, nowS: number): string {
  const verifier = createVerifier(verify, () => nowS * 1000);
  try {
    verifier.checkHeaders(headers);
    verifier.check(headers, Buffer.from(body));
    return "ok";
  } catch (error) {
    return (error as { code: string }).code;
  }
}

const standard = {
  secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  at: 1614265330,
  body: '{"test": 2432232314}',
  headers: {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  },
};
const github = {
  secret: "It's a Secret to Everybody",
  at: 0,
  body: "Hello, World!",
  headers: {
    "x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
  },
};
const slack = {
  secret: "8f742231b10e8888abcd99yyyzzz85a5",
  at: 1531420618,
  body:
    "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&" +
    "user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com" +
    "%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
  headers: {
    "x-slack-request-timestamp": "1531420618",
    "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
  },
};
// Stripe publishes the rule (HMAC-SHA256 of "timestamp.body") and no example with its secret: computed here by the rule.
const stripeSign = (secret: string, t: number, body: string): string =>
  createHmac("sha256", secret).update(`${t}.${body}`).digest("hex");
const stripe = {
  secret: "whsec_test_secret",
  at: 1492774577,
  body: '{"id":"evt_1"}',
  headers: {
    "stripe-signature": `t=1492774577,v1=${stripeSign("whsec_test_secret", 1492774577, '{"id":"evt_1"}')},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39`,
  },
};

const signed = { standard, github, slack, stripe };
const schemes = Object.keys(signed) as Array<keyof typeof signed>;

describe.each(schemes)("scheme %s", (scheme) => {
  const { secret, at, body, headers } = signed[scheme];

  test("accepts the published example", () => {
    expect(outcome({ scheme, secret }, headers, body, at)).toBe("ok");
  });

  test("refuses another body, another secret and a missing signature", () => {
    expect(outcome({ scheme, secret }, headers, `${body} `, at)).toBe("bad_signature");
    const other = scheme === "standard" ? "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" : "other";
    expect(outcome({ scheme, secret: other }, headers, body, at)).toBe("bad_signature");
    expect(outcome({ scheme, secret }, {}, body, at)).toBe("unauthorized");
  });

  test("accepts either secret while they are rotated", () => {
    const other = scheme === "standard" ? "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" : "other";
    expect(outcome({ scheme, secret: other, secrets: [secret] }, headers, body, at)).toBe("ok");
  });

  test("needs a secret", () => {
    expect(() => createVerifier({ scheme })).toThrow(/no verify\.secret/);
    expect(() => createVerifier({ scheme, secret: "" })).toThrow(/no verify\.secret/);
  });
});

test.each(schemes.filter((scheme) => scheme !== "github"))(
  "scheme %s refuses a timestamp out of tolerance, both ways",
  (scheme) => {
    const { secret, at, body, headers } = signed[scheme];
    expect(outcome({ scheme, secret }, headers, body, at + 300)).toBe("ok");
    expect(outcome({ scheme, secret }, headers, body, at + 301)).toBe("stale_timestamp");
    expect(outcome({ scheme, secret }, headers, body, at - 301)).toBe("stale_timestamp");
    expect(outcome({ scheme, secret, tolerance: 1000 }, headers, body, at + 900)).toBe("ok");
  },
);

test("a signature counts for the exact bytes, also beyond ASCII", () => {
  const body = Buffer.from('{"text":"grüße 🌊"}');
  const signature = `sha256=${createHmac("sha256", "s").update(body).digest("hex")}`;
  expect(outcome({ scheme: "github", secret: "s" }, { "x-hub-signature-256": signature }, body, 0)).toBe(
    "ok",
  );
});

test("one of several signatures is enough: the sender rotates too", () => {
  const good = standard.headers["webhook-signature"];
  const headers = { ...standard.headers, "webhook-signature": `v1,AAAA v1a,BBBB ${good}` };
  expect(outcome({ scheme: "standard", secret: standard.secret }, headers, standard.body, standard.at)).toBe(
    "ok",
  );
  const two = `t=${stripe.at},v1=00,v1=${stripeSign(stripe.secret, stripe.at, stripe.body)}`;
  expect(
    outcome({ scheme: "stripe", secret: stripe.secret }, { "stripe-signature": two }, stripe.body, stripe.at),
  ).toBe("ok");
});

test("strange signature headers are refused, not an error", () => {
  for (const value of ["", ",", "=", "t=", "t=x,v1=", "v1", "v1,", `t=${stripe.at}`]) {
    expect(outcome({ scheme: "stripe", secret: "s" }, { "stripe-signature": value }, "", stripe.at)).toMatch(
      /^(unauthorized|bad_timestamp|bad_signature)$/,
    );
    const headers = { ...standard.headers, "webhook-signature": value };
    expect(
      outcome({ scheme: "standard", secret: standard.secret }, headers, standard.body, standard.at),
    ).toMatch(/^(unauthorized|bad_signature)$/);
  }
});

test("bearer: the token in Authorization, or bare in the platform's own header", () => {
  const verify: VerifyConfig = { scheme: "bearer", token: "t0ken", secrets: ["n3xt"] };
  expect(outcome(verify, { authorization: "Bearer t0ken" }, "", 0)).toBe("ok");
  expect(outcome(verify, { authorization: "bearer n3xt" }, "", 0)).toBe("ok");
  expect(outcome(verify, { authorization: "Bearer t0ke" }, "", 0)).toBe("unauthorized");
  expect(outcome(verify, { authorization: "Basic t0ken" }, "", 0)).toBe("unauthorized");
  expect(outcome(verify, {}, "", 0)).toBe("unauthorized");
  expect(outcome({ ...verify, header: "X-Gitlab-Token" }, { "x-gitlab-token": "t0ken" }, "", 0)).toBe("ok");
});

test("a secret that Standard Webhooks cannot use stops the connector and is not repeated", () => {
  const bad = (): unknown => createVerifier({ scheme: "standard", secret: "not base64 !" });
  expect(bad).toThrow(expect.objectContaining({ fate: "stop", code: "config_invalid" }));
  expect(bad).not.toThrow(/not base64/);
});

test("secrets of different lengths can be compared", () => {
  expect(sameSecret("a", "a")).toBe(true);
  expect(sameSecret("a", "aaaa")).toBe(false);
  expect(sameSecret("", "a")).toBe(false);
});
