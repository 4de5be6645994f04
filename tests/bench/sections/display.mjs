// A display's way from its socket to a viewer: our own client beside vnc-rs, from the same source in one run.
import { join } from "node:path";
import { end, start, until } from "../../e2e/lib/processes.mjs";
import { built } from "../../e2e/lib/setting.mjs";
import { median } from "../lib/measure.mjs";

const source = built("examples/source");
const watch = built("examples/watch");
export const needs = [source, watch];

const ROUNDS = 5;
const SECONDS = 4;
const CLIENTS = ["raw", "vnc-rs"];

export async function run(setting, report) {
  const socket = join(setting.home, "source.sock");
  const server = start(source, [socket, "60"], { env: setting.env });
  await until("the source", () => server.output.includes("ready"), { within: 20_000 });
  const figures = Object.fromEntries(CLIENTS.map((client) => [client, { rate: [], cost: [] }]));
  for (let round = 0; round < ROUNDS; round++) {
    // In turn, and each first as often as second.
    for (const client of round % 2 ? [...CLIENTS].reverse() : CLIENTS) {
      const watching = start(watch, [socket, String(SECONDS), client, "--json"], { env: setting.env });
      await watching.ended;
      const { frames, seconds, processor } = JSON.parse(watching.output);
      figures[client].rate.push(frames / seconds);
      figures[client].cost.push((processor / Math.max(1, frames)) * 1000);
    }
  }
  await end(server);
  const [ours, theirs] = CLIENTS.map((client) => ({ rate: median(figures[client].rate), cost: median(figures[client].cost) }));
  report.row("display: frames a second of a 60 Hz source, 1920 × 1080", ours.rate.toFixed(1), {
    beside: `vnc-rs ${theirs.rate.toFixed(1)}, ${(ours.rate / theirs.rate).toFixed(2)} ×`,
    limit: "no fewer than vnc-rs",
    ok: ours.rate >= theirs.rate * 0.95,
  });
  report.row("display: processor time a frame", `${ours.cost.toFixed(1)} ms`, {
    beside: `vnc-rs ${theirs.cost.toFixed(1)} ms, ${(ours.cost / theirs.cost).toFixed(2)} ×`,
    limit: "less than vnc-rs",
    ok: ours.cost < theirs.cost,
  });
}
