// Measures Nestbox on this computer beside what it is compared with, in one run: trust the ratios, not the numbers.
//   make bench
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { end, start, until } from "../e2e/lib/processes.mjs";
import { built, guest, lacking, Setting, which } from "../e2e/lib/setting.mjs";

const now = () => Number(process.hrtime.bigint()) / 1e6;
const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const ms = (value) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
const rows = [];
const row = (what, value, beside, limit, ok) => {
  rows.push({ what, value, beside, limit, ok });
  console.log(`${ok === undefined ? "     " : ok ? "ok   " : "OVER "}${what}: ${value}${beside ? ` (${beside})` : ""}${limit ? `, limit ${limit}` : ""}`);
};

/** Milliseconds that a program takes. */
async function timed(command, args, env) {
  const from = now();
  const program = start(command, args, { env });
  const code = await program.ended;
  const took = now() - from;
  assert.equal(code, 0, `${command} ${args.join(" ")}: ${program.output}`);
  return took;
}

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

async function startOfMachine(setting) {
  await setting.cli("create", "start", "--disk-image", guest("tiny-amd64.qcow2"), "--copy");
  const ours = [];
  const bare = [];
  for (let round = 0; round < 7; round++) {
    ours.push(await timed(built("nestbox"), ["--quiet", "start", "start"], setting.env));
    const { argv } = await setting.cli("show", "start", "--command");
    await setting.cli("stop", "start", "--force");
    // The same arguments by hand: sockets and log go where they went before.
    const qmp = /path=([^,]*qmp\.sock)/.exec(argv.join("\n"))?.[1];
    await mkdir(join(qmp, ".."), { recursive: true });
    await rm(qmp, { force: true });
    const from = now();
    const qemu = start(argv[0], argv.slice(1), { env: setting.env, cwd: setting.home });
    await running(qmp).catch((error) => Promise.reject(new Error(`${error.message}\n${qemu.output}`)));
    bare.push(now() - from);
    await end(qemu);
  }
  const [mine, theirs] = [median(ours), median(bare)];
  row("nestbox start until the guest runs", ms(mine), `bare QEMU ${ms(theirs)}`, `1.3 × + 60 ms = ${ms(theirs * 1.3 + 60)}`, mine <= theirs * 1.3 + 60);
}

/** Makes the library hold `count` machines more, as copies of one that was never started. */
async function populate(setting, count) {
  const { id } = await setting.service.machine("pattern");
  const folder = join(setting.home, "machines", id);
  const spec = await readFile(join(folder, "machine.toml"), "utf8");
  const own = /^id = "([^"]+)"/m.exec(spec)[1];
  for (let n = 0; n < count; n++) {
    const fresh = randomUUID().replaceAll("-", "").slice(0, own.replaceAll("-", "").length);
    const copy = join(setting.home, "machines", own.includes("-") ? randomUUID() : fresh);
    await cp(folder, copy, { recursive: true });
    await writeFile(join(copy, "machine.toml"), spec.replaceAll(own, copy.split("/").pop()).replace(/^name = .*$/m, `name = "machine ${n}"`));
  }
  await setting.cli("library", "check", "--rebuild");
}

async function list(setting) {
  await setting.cli("create", "pattern", "--blank", "--disk", "1G");
  await populate(setting, 1000);
  assert.ok((await setting.service.get("/v1/machines")).machines.length >= 1000);
  const times = [];
  for (let round = 0; round < 9; round++) times.push(await timed(built("nestbox"), ["list"], setting.env));
  let beside = "virsh is not here; its 0.11 s measured elsewhere";
  if (which("virsh")) {
    const virsh = [];
    for (let round = 0; round < 5; round++) virsh.push(await timed("virsh", ["-c", "test:///default", "list", "--all"], process.env));
    beside = `virsh list of one test machine ${ms(median(virsh))}`;
  }
  row("nestbox list, 1,000 machines", ms(median(times)), beside, "110 ms", median(times) <= 110);
}

async function secondMachine(setting) {
  await setting.cli("create", "first of image", "--template", "ubuntu-24.04", "--arch", "x86_64");
  const times = [];
  for (let round = 0; round < 3; round++) times.push(await timed(built("nestbox"), ["--quiet", "create", `another ${round}`, "--template", "ubuntu-24.04", "--arch", "x86_64"], setting.env));
  row("second machine of a cached image", ms(median(times)), "", "1000 ms", median(times) < 1000);
}

/** Milliseconds from launch until the box of the screen is as it stays. */
async function launch(setting, program, box) {
  const from = now();
  const window = start(program, [], { env: setting.env });
  const seen = [];
  const region = async () => {
    const at = now() - from;
    const screen = await setting.screen();
    const bytes = [];
    for (let y = box.y; y < box.y + box.height; y += 2) for (let x = box.x; x < box.x + box.width; x += 2) bytes.push(...screen.at(x, y));
    return { at, bytes };
  };
  while (now() - from < 5000) seen.push(await region());
  await end(window);
  const last = seen.at(-1).bytes;
  const alike = ({ bytes }) => bytes.filter((byte, i) => Math.abs(byte - last[i]) < 24).length / last.length > 0.97;
  return seen.find(alike).at;
}

async function windowLaunch(setting) {
  await setting.display();
  const empty = join(built("nestbox-app"), "../examples/empty");
  const box = { x: 60, y: 150, width: 200, height: 40 };
  const ours = [];
  const theirs = [];
  for (let round = 0; round < 5; round++) {
    ours.push(await launch(setting, built("nestbox-app"), box));
    theirs.push(await launch(setting, empty, box));
    await sleep(200);
  }
  const [mine, other] = [median(ours), median(theirs)];
  row("window launch until machines show, 1,000 machines", ms(mine), `empty Tauri window ${ms(other)}`, `1.5 × = ${ms(other * 1.5)}`, mine <= other * 1.5);
}

async function idle(setting) {
  const { pid } = await setting.service.get("/v1/service");
  const ticks = async () => (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1].split(" ").slice(11, 13).reduce((sum, n) => sum + Number(n), 0);
  const before = await ticks();
  await sleep(10_000);
  const share = (await ticks()) - before; // hundredths of a second in ten seconds: tenths of a per cent of a core
  const memory = Number(/^Pss:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/smaps_rollup`, "utf8"))[1]) / 1024;
  row("idle service, processor", `${(share / 10).toFixed(1)} % of a core`, "", "0.5 %", share / 10 < 0.5);
  row("idle service, memory", `${memory.toFixed(0)} MB`, "1,000 machines", "40 MB", memory < 40);
}

const missing = lacking(built("nestbox"), built("nestbox-app"), built("nestbox-test-mirror"), guest("tiny-amd64.qcow2"));
if (missing.length) {
  console.error(`bench: not here: ${missing.join(", ")} (make test builds them)`);
  process.exit(5);
}
const setting = await Setting.make();
try {
  await setting.mirror();
  for (const part of [startOfMachine, secondMachine, list, idle, windowLaunch]) {
    await part(setting).catch((error) => row(part.name, `failed: ${error.message}`, "", "", false));
  }
} finally {
  await setting.close();
}
const over = rows.filter(({ ok }) => ok === false).length;
console.log(`\n${rows.length} measured, ${over} over their limit`);
process.exit(over ? 1 : 0);
