// The connector around a command line tool in docs/writing-a-connector.md works as it stands there, against a bridge of a few lines of Bash.
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import * as sdk from "../../../../runtime/sdk.ts";
import { Answers } from "../../../../runtime/sdk/program/answers.ts";
import { Deliveries } from "../../../../runtime/sdk/deliveries.ts";
import { draftWithFiles } from "../../../../runtime/sdk/program/draft-files.ts";
import { isObject, parseJsonLine, requiredField } from "../../../../runtime/sdk/program/json-line.ts";
import { LineProgram } from "../../../../runtime/sdk/program/line-program.ts";
import { track } from "../../../helpers/children.ts";
import { projectRoot } from "../../../helpers/command.ts";
import { outgoing, TestContext } from "../../../helpers/context.ts";
import { blocks } from "../../../helpers/docs.ts";
import { waitFor } from "../../../helpers/wait.ts";

type Session = { program: LineProgram };
type Connector = Required<
  Pick<sdk.ConnectorDefinition<object, Session>, "connect" | "receive" | "send" | "close">
>;

const bridge = `#!/bin/bash
echo '{"text": "hello", "conversation_id": "c"}'
echo 'no JSON'
while read -r line; do
  [[ "$line" =~ \\"id\\":\\"([^\\"]+)\\" ]]
  [[ "$line" == *crash* ]] && { echo "oh no" >&2; exit 4; }
  echo "{\\"ok\\": \\"\${BASH_REMATCH[1]}\\"}"
done
`;

let home: string;
let ctx: TestContext<object>;
let connector: Connector;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "spoolway-bridge-"));
  writeFileSync(join(home, "bridge"), bridge);
  chmodSync(join(home, "bridge"), 0o755);
  ctx = new TestContext<object>("bridge", home, { token: "t" });
  const page = readFileSync(join(projectRoot, "docs/writing-a-connector.md"), "utf8");
  const code =
    blocks(page).find(({ info, text }) => info === "js" && text.includes("LineProgram"))?.text ?? "";
  const parts = {
    ...sdk,
    Answers,
    Deliveries,
    draftWithFiles,
    isObject,
    parseJsonLine,
    requiredField,
    LineProgram,
  };
  connector = new Function(...Object.keys(parts), code.replace("export default", "return"))(
    ...Object.values(parts),
  ) as Connector;
});

afterEach(() => rmSync(home, { recursive: true, force: true }));

test("it receives, sends, refuses what is no JSON, and ends with the session", async () => {
  const session = await connector.connect(ctx);
  track(session.program.program.pid, "bridge");
  const received = connector.receive(session, ctx);
  await waitFor(() => ctx.texts().includes("hello"));
  expect(await connector.send(session, outgoing("hi"), ctx.sending())).toEqual({});
  expect(ctx.logged("line.invalid")[0]?.fields).toMatchObject({ line: 2, code: "invalid_json" });
  ctx.abort();
  await received;
  await connector.close(session);
  expect(session.program.program.running).toBe(false);
});

test("when the tool dies, its last words are the reason, and what it was given is uncertain", async () => {
  const session = await connector.connect(ctx);
  track(session.program.program.pid, "bridge");
  const received = connector.receive(session, ctx);
  const sending = connector.send(session, outgoing("crash"), ctx.sending());
  const why = "the program exited with code 4; its last words: oh no";
  await Promise.all([
    expect(sending).rejects.toMatchObject({ fate: "uncertain" }),
    expect(received).rejects.toThrow(why),
  ]);
  await connector.close(session);
});

test("a line that its reader cannot bear ends the program", async () => {
  const program = await LineProgram.start(ctx, { command: ["./bridge"], cwd: ".", env: {} });
  track(program.program.pid, "bridge");
  const running = program.run(1000, () => {
    throw new Error("a mistake in the connector");
  });
  await expect(running).rejects.toThrow("a mistake in the connector");
  expect(program.program.running).toBe(false);
});
