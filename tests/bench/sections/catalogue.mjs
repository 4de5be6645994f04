// Machines of the catalogue, taken from a mirror on this computer.
import { built, guest } from "../../e2e/lib/setting.mjs";
import { ms, repeated, timed } from "../lib/measure.mjs";

export const needs = [built("nestbox"), built("nestbox-test-mirror"), guest("tiny-amd64.qcow2"), guest("tiny-arm64.qcow2")];

const LIMIT_MS = 1000;

export async function run(setting, report) {
  await setting.mirror();
  const create = (name) => ["--quiet", "create", name, "--template", "ubuntu-24.04", "--arch", "x86_64"];
  await timed(built("nestbox"), create("first of image"), setting.env);
  const took = await repeated(3, (round) => timed(built("nestbox"), create(`another ${round}`), setting.env));
  report.row("second machine of a cached image", ms(took), { limit: ms(LIMIT_MS), ok: took < LIMIT_MS });
}
