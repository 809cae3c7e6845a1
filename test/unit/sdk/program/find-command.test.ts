// A command as a person writes it, found as the shell would find it.
import { expect, test } from "vitest";
import { findCommand } from "../../../../runtime/sdk/program/find-command.ts";

test("folders of the PATH that cannot be looked into are passed over", () => {
  expect(findCommand("sh", "/", "/etc/passwd:/nowhere:/usr/bin:/bin")).toMatch(/^\/(usr\/)?bin\/sh$/);
});

test("a command that is not there says where it was looked for", () => {
  expect(() => findCommand("no-such-command", "/", "/usr/bin")).toThrow(/command not found/);
  expect(() => findCommand("./no-such-file", "/tmp", "/usr/bin")).toThrow(/command not found/);
  expect(() => findCommand("/etc/passwd", "/", "")).toThrow(/not executable/);
});
