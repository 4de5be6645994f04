// A machine's start, beside the bare hypervisor with the same arguments.
import { mkdir, rm } from "node:fs/promises";
import { createConnection } from "node:net";
import { join } from "node:path";
import { end, start, until } from "../../e2e/lib/processes.mjs";
import { built, guest } from "../../e2e/lib/setting.mjs";
import { median, ms, now, timed } from "../lib/measure.mjs";

export const needs = [built("nestbox"), guest("tiny-amd64.qcow2")];

const ROUNDS = 7;

/** Resolves when QMP on `socket` says that the guest runs. */
async function running(socket) {
  const connection = await until("QMP", () => new Promise((resolve, reject) => {
    const stream = createConnection(socket, () => resolve(stream)).on("error", reject);
  }), { within: 20_000, every: 2 });
  let text = "";
  connection.setEncoding("utf8").on("data", (part) => (text += part));
  await until("the greeting", () => text.includes('"QMP"'), { every: 1 });
  connection.write('{"execute":"qmp_capabilities"}\n');
  await until("running", () => {
    connection.write('{"execute":"query-status"}\n');
    return /"status": "running"/.test(text);
  }, { within: 20_000, every: 2 });
  connection.destroy();
}

/** Milliseconds until the guest runs when `argv` is started by hand: sockets and log go where they went before. */
async function bareStart(setting, argv) {
  const qmp = /path=([^,]*qmp\.sock)/.exec(argv.join("\n"))?.[1];
  await mkdir(join(qmp, ".."), { recursive: true });
  await rm(qmp, { force: true });
  const from = now();
  const qemu = start(argv[0], argv.slice(1), { env: setting.env, cwd: setting.home });
  await running(qmp).catch((error) => Promise.reject(new Error(`${error.message}\n${qemu.output}`)));
  const took = now() - from;
  await end(qemu);
  return took;
}

export async function run(setting, report) {
  await setting.cli("create", "start", "--disk-image", guest("tiny-amd64.qcow2"), "--copy");
  const ours = [];
  const bare = [];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(await timed(built("nestbox"), ["--quiet", "start", "start"], setting.env));
    const { argv } = await setting.cli("show", "start", "--command");
    await setting.cli("stop", "start", "--force");
    bare.push(await bareStart(setting, argv));
  }
  const [mine, theirs] = [median(ours), median(bare)];
  const limit = theirs * 1.3 + 60;
  report.row("nestbox start until the guest runs", ms(mine), {
    beside: `bare QEMU ${ms(theirs)}`,
    limit: `1.3 × + 60 ms = ${ms(limit)}`,
    ok: mine <= limit,
  });
}
