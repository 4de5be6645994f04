// Starts programs in process groups of their own and ends those groups, and nothing else.
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const running = new Set();

/** Starts `command`; its output is kept (the last 64 KiB) for when something fails. */
export function start(command, args, { env, cwd, fd3 = false } = {}) {
  const stdio = ["ignore", "pipe", "pipe", ...(fd3 ? ["pipe"] : [])];
  const child = spawn(command, args, { env, cwd, stdio, detached: true });
  const program = { child, output: "", exited: false, name: command.split("/").pop() };
  const keep = (text) => (program.output = (program.output + text).slice(-65536));
  child.stdout.setEncoding("utf8").on("data", keep);
  child.stderr.setEncoding("utf8").on("data", keep);
  child.on("error", (error) => keep(`${error}\n`));
  program.ended = new Promise((resolve) => {
    const done = (code) => {
      program.exited = true;
      running.delete(program);
      resolve(code);
    };
    child.on("exit", (code, signal) => done(code ?? signal));
    child.on("error", () => done("not started"));
  });
  running.add(program);
  return program;
}

/** Ends a program and whatever it started in its group. */
export async function end(program) {
  if (!program || program.child.pid === undefined) return;
  for (const [signal, patience] of [["SIGTERM", 3000], ["SIGKILL", 2000]]) {
    try {
      process.kill(-program.child.pid, signal);
    } catch {
      break; // The group is gone.
    }
    await Promise.race([program.ended, sleep(patience, undefined, { ref: false })]);
  }
}

process.on("exit", () => {
  for (const { child } of running) {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // Gone already.
    }
  }
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

/** Thrown by a condition of `until`: there is no use in waiting on. */
export class Hopeless extends Error {}

/** Waits until `condition` gives something truthy, asking every `every` ms; says `what` it waited for when it never does. */
export async function until(what, condition, { within = 10_000, every = 100 } = {}) {
  const deadline = Date.now() + within;
  let last;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      last = undefined;
    } catch (error) {
      if (error instanceof Hopeless) throw error;
      last = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`waited ${Math.round(within / 1000)} s for ${what}${last ? `: ${last.message ?? last}` : ""}`, { cause: last });
    }
    await sleep(every);
  }
}

/** A port of 127.0.0.1 that was free a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
