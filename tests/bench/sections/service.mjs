// The service when nobody wants anything of it: fresh, after work, and with a long list.
import { setTimeout as sleep } from "node:timers/promises";
import { built } from "../../e2e/lib/setting.mjs";
import { memory, populate, ticks, timed } from "../lib/measure.mjs";

export const needs = [built("nestbox")];

const WATCH_MS = 10_000;
const MEMORY_LIMIT_MB = 40;
const PROCESSOR_LIMIT = 0.5;

/** Per cent of a core that the process takes. */
async function processor(pid) {
  const before = await ticks(pid);
  await sleep(WATCH_MS);
  return ((await ticks(pid)) - before) / (WATCH_MS / 1000);
}

export async function run(setting, report) {
  const size = async (when, pid) => {
    const { all, anonymous } = await memory(pid);
    report.row(`idle service, memory, ${when}`, `${all.toFixed(0)} MB`, {
      beside: `${anonymous.toFixed(0)} MB of it its own data`,
      limit: `${MEMORY_LIMIT_MB} MB`,
      ok: all < MEMORY_LIMIT_MB,
    });
  };
  await setting.cli("list");
  const { pid } = await setting.service.get("/v1/service");
  await size("fresh", pid);
  await populate(setting, 1000);
  for (let n = 0; n < 20; n++) await setting.cli("create", `made ${n}`, "--blank", "--disk", "1G");
  for (let n = 0; n < 20; n++) await timed(built("nestbox"), ["list"], setting.env);
  const share = await processor(pid);
  await size("1,000 machines, 20 of them just made", pid);
  report.row("idle service, processor", `${share.toFixed(1)} % of a core`, {
    limit: `${PROCESSOR_LIMIT} %`,
    ok: share < PROCESSOR_LIMIT,
  });
}
