// A long list, beside libvirt's command.
import { built, which } from "../../e2e/lib/setting.mjs";
import { ms, populate, repeated, timed } from "../lib/measure.mjs";

export const needs = [built("nestbox")];

const LIMIT_MS = 110;

export async function run(setting, report) {
  await populate(setting, 1000);
  const nestbox = (...words) => repeated(15, () => timed(built("nestbox"), words, setting.env));
  const [took, little] = [await nestbox("list"), await nestbox("--version")];
  let beside = "virsh is not here; its 0.11 s measured elsewhere";
  if (which("virsh")) {
    const virsh = await repeated(15, () => timed("virsh", ["-c", "test:///default", "list", "--all"], process.env));
    beside = `virsh list of one test machine ${ms(virsh)}`;
  }
  report.row("nestbox list, 1,000 machines", ms(took), { beside, limit: ms(LIMIT_MS), ok: took <= LIMIT_MS });
  report.row("nestbox --version, what starting the program takes of it", ms(little));
}
