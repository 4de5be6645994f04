// What sections measure with: clocks, medians, programs timed, libraries filled.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { start } from "../../e2e/lib/processes.mjs";

/** Milliseconds of the monotonic clock; `watch.c` reads the same one. */
export const now = () => Number(process.hrtime.bigint()) / 1e6;

export const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

export const ms = (value) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;

/** Milliseconds that a program takes; it must succeed. */
export async function timed(command, args, env) {
  const from = now();
  const program = start(command, args, { env });
  const code = await program.ended;
  const took = now() - from;
  assert.equal(code, 0, `${command} ${args.join(" ")}: ${program.output}`);
  return took;
}

/** The median of `count` runs of `once`. */
export async function repeated(count, once) {
  const times = [];
  for (let round = 0; round < count; round++) times.push(await once(round));
  return median(times);
}

/** Makes the library hold `count` machines, as copies of one that was never started. */
export async function populate(setting, count) {
  await setting.cli("create", "pattern", "--blank", "--disk", "1G");
  const { id } = await setting.service.machine("pattern");
  const folder = join(setting.home, "machines", id);
  const spec = await readFile(join(folder, "machine.toml"), "utf8");
  for (let n = 1; n < count; n++) {
    const fresh = randomUUID().replaceAll("-", ""); // As ids are written: 32 hex digits.
    const copy = join(setting.home, "machines", fresh);
    await cp(folder, copy, { recursive: true });
    await writeFile(join(copy, "machine.toml"), spec.replaceAll(id, fresh).replace(/^name = .*$/m, `name = "machine ${n}"`));
  }
  await setting.cli("library", "check", "--rebuild");
  assert.equal((await setting.service.get("/v1/machines")).machines.length, count);
}

/** Proportional set size of a process in MB, all of it and what no file backs. */
export async function memory(pid) {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
  const megabytes = (key) => Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? NaN) / 1024;
  return { all: megabytes("Pss"), anonymous: megabytes("Pss_Anon") };
}

/** Processor time that a process has used, in hundredths of a second. */
export async function ticks(pid) {
  const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1].split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
