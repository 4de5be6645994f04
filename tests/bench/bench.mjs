// Measures Nestbox on this computer beside what it is compared with, in one run: trust the ratios, not the numbers.
//   make bench                                     every section
//   node tests/bench/bench.mjs launch service …    these
//
// A section is a file in `sections/`. It exports `needs`, the programs and files without which it is skipped, and
// `run(setting, report)`, which measures on a home of its own.
import { readdir } from "node:fs/promises";
import { basename } from "node:path";
import { lacking, Setting } from "../e2e/lib/setting.mjs";
import { Report } from "./lib/report.mjs";

const folder = new URL("sections/", import.meta.url);
const known = (await readdir(folder)).filter((file) => file.endsWith(".mjs")).map((file) => basename(file, ".mjs")).sort();
const wanted = process.argv.length > 2 ? process.argv.slice(2) : known;
const unknown = wanted.filter((name) => !known.includes(name));
if (unknown.length) {
  console.error(`bench: no section ${unknown.join(", ")}; there are: ${known.join(", ")}`);
  process.exit(2);
}

const report = new Report();
for (const name of wanted) {
  const { needs, run } = await import(new URL(`${name}.mjs`, folder));
  const missing = lacking(...needs);
  if (missing.length) {
    report.skipped(name, `not here: ${missing.join(", ")}`);
    continue;
  }
  const setting = await Setting.make();
  try {
    await run(setting, report);
  } catch (error) {
    report.row(name, `failed: ${error.message}`, { ok: false });
  } finally {
    await setting.close();
  }
}
process.exit(report.close() ? 1 : 0);
