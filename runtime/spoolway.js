#!/usr/bin/env node
// The launcher behind `npx spoolway` and `npm start`. It is plain old JavaScript, because the machine's own Node may be the one that reads it:
//
//   this Node is new enough ─▶ main.ts, here
//   it is not               ─▶ main.ts, with the Node that `npm ci` put in node_modules/.bin: same arguments, same terminal, same exit code
import { spawn } from "child_process";
import { existsSync } from "fs";
import { constants } from "os";
import { dirname, join } from "path";
import { fileURLToPath } from "url";

// Node 26 runs TypeScript itself and has every API that main.ts and what it loads use.
const neededMajor = 26;
const here = dirname(fileURLToPath(import.meta.url));

if (Number(process.versions.node.split(".")[0]) >= neededMajor) {
  // Stripped and compiled once, not at every call: half the start time. Where the folder cannot be written nothing is kept.
  enableCompileCache(join(here, "..", "node_modules", ".cache", "spoolway"));
  import("./main.ts").then(({ main }) => main());
} else {
  const node = findNode(here);
  if (node === undefined) {
    console.error(`error: spoolway needs Node ${neededMajor}; this is Node ${process.versions.node}`);
    console.error("hint: run `npm ci` in the folder of spoolway: it brings its own Node along");
    process.exitCode = 1;
  } else {
    launch(node);
  }
}

function enableCompileCache(folder) {
  // A builtin that an older Node does not have cannot be imported by name.
  process.getBuiltinModule("module").enableCompileCache(folder);
}

/** node_modules/.bin/node of the nearest folder that has one. */
function findNode(folder) {
  const name = process.platform === "win32" ? "node.cmd" : "node";
  for (let at = folder; ; at = dirname(at)) {
    const candidate = join(at, "node_modules", ".bin", name);
    if (existsSync(candidate)) return candidate;
    if (dirname(at) === at) return undefined;
  }
}

function launch(node) {
  const args = [join(here, "main.ts")].concat(process.argv.slice(2));
  // When this process is killed, the other is asked to end: setpriv (util-linux) has the kernel do it, however this one died.
  const command = process.platform === "linux" ? "setpriv" : node;
  const prefix = command === node ? [] : ["--pdeathsig", "TERM", "--", node];
  start(command, prefix.concat(args), () => start(node, args, undefined));
}

/** `fallback` is called when there is no such command. */
function start(command, args, fallback) {
  const child = spawn(command, args, { stdio: "inherit" });
  const forward = {};
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"]) {
    forward[signal] = () => {
      // Ctrl-C reaches everything in the terminal's foreground by itself; twice would mean "at once".
      if ((signal === "SIGINT" || signal === "SIGQUIT") && process.stdin.isTTY) return;
      child.kill(signal);
    };
    process.on(signal, forward[signal]);
  }
  const unlisten = () => {
    for (const signal of Object.keys(forward)) process.removeListener(signal, forward[signal]);
  };
  child.on("error", (error) => {
    unlisten();
    if (fallback !== undefined && error.code === "ENOENT") return fallback();
    console.error(`error: could not start ${command}: ${error.message}`);
    process.exitCode = 1;
  });
  child.on("exit", (code, signal) => {
    unlisten();
    if (signal === null) {
      process.exitCode = code;
      return;
    }
    // End the same way, so that a shell sees what happened; where that is not possible, with the code that a shell would show.
    process.exitCode = 128 + (constants.signals[signal] || 0);
    process.kill(process.pid, signal);
  });
}
