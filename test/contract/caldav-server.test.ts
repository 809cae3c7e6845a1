// What other servers than Radicale do, and what stands before them: answers in parts, entries and calendars that are refused, pages of proxies, compressed answers, services that are found
// by a redirect; and whose change is whose when an answer is lost.
import { describe, expect, test } from "vitest";
import { missingServer } from "../helpers/servers/daemon.ts";
import type { Answer, DavFront } from "../helpers/servers/davFront.ts";
import { startFront } from "../helpers/servers/davFront.ts";
import { icalOf, user } from "../helpers/servers/radicale.ts";
import { nowS, openCalendar, put, stored, team } from "../helpers/servers/radicaleBus.ts";
import { staysTrue, waitFor } from "../helpers/wait.ts";

const xml = { "content-type": "text/xml" };
const isLook = (body: string): boolean => body.includes("sync-collection");
const stale: Answer = {
  status: 403,
  headers: xml,
  body: `<error xmlns="DAV:"><valid-sync-token/></error>`,
};

/** At most two entries in an answer to sync-collection; the token of a part leads to the next one (RFC 6578, 3.6). */
function inParts(front: DavFront): { parts: () => number } {
  const rests = new Map<string, string[]>();
  let parts = 0;
  const part = (head: string, responses: string[], path: string): Answer => {
    if (responses.length <= 2)
      return { status: 207, headers: xml, body: `${head}${responses.join("")}</multistatus>` };
    parts += 1;
    const token = `http://front.example.test/part/${parts}`;
    rests.set(token, [head, ...responses.slice(2)]);
    const cut = `<response><href>${path}</href><status>HTTP/1.1 507 Insufficient Storage</status></response>`;
    const begin = head.replace(/<sync-token>.*<\/sync-token>/, `<sync-token>${token}</sync-token>`);
    return {
      status: 207,
      headers: xml,
      body: `${begin}${responses.slice(0, 2).join("")}${cut}</multistatus>`,
    };
  };
  front.instead = ({ body, path }) => {
    const [token = ""] = /http:\/\/front\.example\.test\/part\/\d+/.exec(body) ?? [];
    const [head = "", ...responses] = rests.get(token) ?? [];
    return head === "" ? undefined : part(head, responses, path);
  };
  front.after = ({ body, path }, answer) => {
    if (!isLook(body) || answer.status !== 207) return answer;
    const all = answer.body.match(/<response>.*?<\/response>/gs) ?? [];
    // Of all that there is, only Radicale also says what there was.
    const isWhole = body.includes("<d:sync-token/>");
    const responses = all.filter((one) => !isWhole || !one.includes(" 404 "));
    const [head = ""] = /^.*?<\/sync-token>/s.exec(answer.body) ?? [];
    return part(head, responses, path);
  };
  return { parts: () => parts };
}

const kindsOf = (events: ReadonlyArray<{ kind: string; content?: { subject?: string } }>): string[] =>
  events.map(({ kind, content }) => `${kind} ${content?.subject ?? ""}`);

describe.skipIf(missingServer("radicale"))("calendars on other servers", { timeout: 120_000 }, () => {
  test("an answer in parts is read to its end: what was there stays old, and nothing of it is taken for removed", async () => {
    let told = { parts: () => 0 };
    const { server, front, bus } = await openCalendar(
      {},
      {
        async prepare(radicale, before) {
          for (const n of [1, 2, 3, 4]) await put(radicale, `old ${n}`, `old ${n}`);
          told = inParts(before);
        },
      },
    );
    expect(told.parts()).toBe(2);
    for (const n of [1, 2, 3, 4, 5]) await put(server, `new ${n}`, `new ${n}`, undefined, nowS + n);
    await bus.waitForEvent("new 5");
    // While we are away the server forgets: all that there is comes in parts again.
    await bus.stop();
    await server.ask("DELETE", `${team}${encodeURIComponent("old 1")}.ics`);
    await put(server, "last", "last", undefined, nowS + 9);
    const before = front.instead;
    let forgets = true;
    front.instead = (asked) => {
      if (!forgets || !asked.body.includes("<d:sync-token>")) return before(asked);
      forgets = false;
      return stale;
    };
    await bus.start();
    await bus.waitForEvent("last");
    await bus.waitForEvent((event) => event.kind === "delete");
    expect(kindsOf(bus.events()).sort()).toEqual(
      ["delete ", "item last", ...[1, 2, 3, 4, 5].map((n) => `item new ${n}`)].sort(),
    );
  });

  test("a page instead of an answer says nothing about the calendar", async () => {
    const { server, front, bus } = await openCalendar();
    await put(server, "one", "one");
    await bus.waitForEvent("one");
    const page = { status: 200, headers: { "content-type": "text/html" }, body: "<h1>Back soon</h1>" };
    let pages = 0;
    front.instead = ({ body }) => {
      if (!isLook(body)) return undefined;
      if (body.includes("<d:sync-token>")) return stale;
      pages += 1;
      return page;
    };
    await waitFor(() => pages > 0);
    await waitFor(() => bus.heartbeat("calendar")?.error?.message.includes("multistatus") === true);
    front.instead = () => undefined;
    await put(server, "two", "two");
    await bus.waitForEvent("two", { timeoutMs: 30_000 });
    expect(kindsOf(bus.events())).toEqual(["item one", "item two"]);
  });

  test("an entry that is refused, and a calendar that is, hold up no other", async () => {
    const { server, front, bus } = await openCalendar(
      {},
      {
        prepare: (radicale) => radicale.makeCalendar(`/${user}/a-first/`, "First"),
      },
    );
    // One that we may not see, and one that is removed between the two questions.
    const refuse = (body: string, name: string, status: string): string =>
      body.replace(
        new RegExp(
          `(<response><href>[^<]*${name}\\.ics</href>)(?:(?!</response>).)*calendar-data.*?</response>`,
          "s",
        ),
        `$1<status>HTTP/1.1 ${status}</status></response>`,
      );
    front.after = (_asked, answer) => ({
      ...answer,
      body: refuse(refuse(answer.body, "secret", "403 Forbidden"), "ghost", "404 Not Found"),
    });
    front.instead = ({ path, body }) =>
      path === `/${user}/a-first/` && isLook(body) ? { status: 403, body: "not for you" } : undefined;
    await put(server, "secret", "secret");
    await put(server, "ghost", "ghost");
    await put(server, "fine", "fine");
    await bus.waitForEvent("fine");
    const secret = await bus.waitForEvent((event) => event.platform_id === `${team}secret.ics`);
    expect(secret.raw).toEqual({ unreadable: "the server does not show it (403)" });
    const told = "First: 403 not for you";
    await waitFor(() => bus.heartbeat("calendar")?.error?.message === told);
    expect(bus.heartbeat("calendar")?.liveness).toBe("failing");
    await bus.waitForReceipt("calendar", bus.send("calendar", { conversation_id: team, text: "goes out" }));
    front.instead = () => undefined;
    await server.ask("PUT", `/${user}/a-first/1.ics`, icalOf({ uid: "1", summary: "seen", changedS: nowS }));
    await bus.waitForEvent("seen");
    await waitFor(() => bus.heartbeat("calendar")?.liveness === "live");
    expect(bus.events((event) => event.platform_id === `${team}secret.ics`)).toHaveLength(1);
    expect(bus.events((event) => event.platform_id === `${team}ghost.ics`)).toEqual([]);
  });

  test("a change goes through a proxy that compresses, and waits for a lock and for a slow server", async () => {
    const { server, front, bus } = await openCalendar();
    let gets = 0;
    front.after = ({ method, headers }, answer) => {
      if (method !== "GET") return answer;
      gets += 1;
      const etag = String(answer.headers?.etag);
      const isPlain = headers["accept-encoding"] === "identity";
      // As Apache has it when it compresses; and as others do also when they do not.
      return {
        ...answer,
        headers: { ...answer.headers, etag: isPlain ? `W/${etag}` : etag.replace(/"$/, '-gzip"') },
      };
    };
    const target = { platform_id: `${team}old.ics` };
    const edit = { conversation_id: team, action: "edit", target, subject: "new words" };
    const receipt = await bus.waitForReceipt("calendar", bus.send("calendar", edit));
    expect(receipt.attempts).toBe(1);
    expect(gets).toBe(1);
    const refusals = [408, 423, 503];
    front.instead = ({ method }) => {
      const status = method === "PUT" ? refusals.shift() : undefined;
      return status === undefined ? undefined : { status, body: "not now" };
    };
    const again = bus.send("calendar", { ...edit, subject: "other words" });
    expect((await bus.waitForReceipt("calendar", again)).attempts).toBe(4);
    expect(stored(server, "old")).toContain("SUMMARY:other words");
  });

  test("a change that never came to the server is no uncertain one, and is tried again", async () => {
    const { front, bus } = await openCalendar({
      runtime: { on_uncertain: "hold", retry: { base: "100ms" } },
    });
    let failures = 1;
    front.instead = ({ method }) =>
      method === "GET" && failures-- > 0 ? { status: 502, body: "bad gateway" } : undefined;
    const target = { platform_id: `${team}old.ics` };
    const id = bus.send("calendar", { conversation_id: team, action: "edit", target, subject: "new words" });
    await bus.waitForReceipt("calendar", id);
  });

  test("the service is found where the host's well-known address leads; a login that it refuses stops the connector", async () => {
    const found = (front: DavFront): void => {
      front.instead = ({ path }) => {
        if (path === "/") return { status: 404 };
        if (path === "/.well-known/caldav") return { status: 301, headers: { location: "/found" } };
        return path === "/found" ? { status: 308, headers: { location: `/${user}/` } } : undefined;
      };
    };
    const { server, bus } = await openCalendar({}, { prepare: (_, front) => found(front) });
    await put(server, "one", "one");
    await bus.waitForEvent("one");
    const wrong = await openCalendar(
      { password: "wrong" },
      { prepare: (_, front) => found(front), until: { calendar: "stopped" } },
    );
    expect(wrong.bus.connector("calendar")?.user_action).toContain("password");
  });

  test("a server that leads to another machine is not followed there", async () => {
    const { front, bus } = await openCalendar();
    const elsewhere = await startFront(1);
    elsewhere.instead = () => ({ status: 207, headers: xml, body: `<multistatus xmlns="DAV:"/>` });
    front.instead = ({ method }) =>
      method === "PUT" ? { status: 307, headers: { location: elsewhere.url } } : undefined;
    const id = bus.send("calendar", { conversation_id: team, text: "stays here" });
    expect((await bus.waitForDeadLetter("calendar", id)).error).toContain("leads to another one");
    for (const how of ["redirect", "principal"]) {
      front.instead = ({ path, body }) => {
        if (path.startsWith("/.well-known"))
          return how === "redirect" ? { status: 301, headers: { location: elsewhere.url } } : undefined;
        if (!body.includes("current-user-principal")) return undefined;
        const href = `<current-user-principal><href>${elsewhere.url}</href></current-user-principal>`;
        const ok = `<propstat><prop>${href}</prop><status>HTTP/1.1 200 OK</status></propstat>`;
        if (how === "redirect") return { status: 404 };
        return {
          status: 207,
          headers: xml,
          body: `<multistatus xmlns="DAV:"><response><href>/</href>${ok}</response></multistatus>`,
        };
      };
      await bus.stop();
      await bus.start("nothing");
      await waitFor(
        () => bus.heartbeat("calendar")?.error?.message.includes("leads to another one") === true,
      );
    }
    expect(elsewhere.asked).toEqual([]);
  });

  test("a probe is one small question", async () => {
    const { front } = await openCalendar({ runtime: { sync_every: "1h", probe_every: "100ms" } });
    const probes = (): string[] =>
      front.asked
        .filter(({ headers, method }) => method === "PROPFIND" && headers.depth === "0")
        .map(({ path }) => path);
    await waitFor(() => probes().length > 5);
    const before = front.asked.length;
    await waitFor(() => front.asked.length >= before + 5);
    expect(front.asked.slice(before).map(({ method, path }) => `${method} ${path}`)).toEqual(
      Array.from(front.asked.slice(before), () => `PROPFIND /${user}/`),
    );
  });

  test("what was refused, or changed by somebody else first, makes nobody else's change ours", async () => {
    const { server, front, bus } = await openCalendar();
    const change = (subject: string): string =>
      bus.send("calendar", {
        ...{ conversation_id: team, action: "edit", target: { platform_id: `${team}old.ics` }, subject },
      });
    front.instead = ({ method }) => (method === "PUT" ? { status: 403, body: "read only" } : undefined);
    const dead = await bus.waitForDeadLetter("calendar", change("never"));
    expect(dead).toMatchObject({ error: "403 read only", hint: expect.stringContaining("right") });
    front.instead = () => undefined;
    await put(server, "old", "theirs", undefined, nowS + 1);
    expect((await bus.waitForEvent("theirs")).sender?.is_self ?? false).toBe(false);
    // Somebody is faster, once: between our reading and our writing.
    let raced = false;
    front.after = async ({ method }, answer) => {
      if (method === "GET" && !raced) await put(server, "old", "faster", undefined, nowS + 2);
      raced ||= method === "GET";
      return answer;
    };
    const receipt = await bus.waitForReceipt("calendar", change("ours"));
    expect(receipt.attempts).toBe(2);
    expect((await bus.waitForEvent("ours")).sender?.is_self).toBe(true);
    await put(server, "old", "theirs again", undefined, nowS + 3);
    expect((await bus.waitForEvent("theirs again")).sender?.is_self ?? false).toBe(false);
  });

  test.each(["keeps its versions to itself", "loses its answer"])(
    "what we wrote is ours, and what others make of it is theirs, where the server %s",
    async (how) => {
      const { server, front, bus } = await openCalendar();
      let isLost = false;
      front.after = ({ method }, answer) => {
        if (method !== "PUT") return answer;
        const headers = { "content-type": answer.headers?.["content-type"] ?? "" };
        if (how.startsWith("keeps") || isLost) return { ...answer, headers };
        isLost = true;
        return { status: 502, body: "bad gateway" };
      };
      // Sent again only when what the lost answer was about has been read.
      front.instead = ({ method }) =>
        method === "PUT" && isLost && bus.events("ours").length === 0 ? { status: 503 } : undefined;
      const id = bus.send("calendar", { conversation_id: team, text: "ours" });
      await bus.waitForReceipt("calendar", id);
      expect((await bus.waitForEvent("ours")).sender).toEqual({ id: user, is_self: true });
      await server.ask(
        "PUT",
        `${team}${id}.ics`,
        icalOf({ uid: `${id}@spoolway`, summary: "theirs", changedS: nowS + 9 }),
      );
      expect((await bus.waitForEvent("theirs")).sender?.is_self ?? false).toBe(false);
      expect(bus.events("ours")).toHaveLength(1);
      await staysTrue(() => bus.list("failed/calendar").length === 0, 300, "nothing fails");
    },
  );
});
