// The window's way from its start to the first machine, beside an empty Tauri window of the same build.
import { join } from "node:path";
import { built, Setting } from "../../e2e/lib/setting.mjs";
import { launch, watcher } from "../lib/launch.mjs";
import { median, ms, populate } from "../lib/measure.mjs";

const empty = join(built("nestbox-app"), "../examples/empty");
export const needs = ["Xvfb", "cc", built("nestbox"), built("nestbox-app"), empty];

const ROUNDS = 9;
/** Where the first machines are in the window. */
const BOX = { x: 60, y: 150, width: 200, height: 40 };
const FACTOR = 1.5;

/** Launches both in turn: medians of ours and of the empty window. */
async function pair(watch, env) {
  const ours = [];
  const theirs = [];
  // The first of each warms the page cache.
  for (let round = 0; round <= ROUNDS; round++) {
    ours.push(await launch(watch, built("nestbox-app"), env, BOX));
    theirs.push(await launch(watch, empty, env, BOX));
  }
  return [median(ours.slice(1)), median(theirs.slice(1))];
}

export async function run(setting, report) {
  await setting.display();
  const watch = await watcher(setting);
  for (const count of [6, 1000]) {
    const home = await Setting.make();
    home.env.DISPLAY = setting.env.DISPLAY;
    try {
      await populate(home, count);
      const [mine, other] = await pair(watch, home.env);
      report.row(`window launch until machines show, ${count.toLocaleString("en")} machines`, ms(mine), {
        beside: `empty Tauri window ${ms(other)}, ${(mine / other).toFixed(2)} ×`,
        limit: `${FACTOR} × = ${ms(other * FACTOR)}`,
        ok: mine <= other * FACTOR,
      });
    } finally {
      await home.close();
    }
  }
}
