// Snapshots with memory, clones, suspending, writing on a deep chain, a long list, merging: each beside what the
// hypervisor does by itself, in turn with it.
import { randomUUID } from "node:crypto";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "../../e2e/lib/processes.mjs";
import { built, guest, which } from "../../e2e/lib/setting.mjs";
import { bareTwin, boot, bootedMachine, makeMachine } from "../lib/guest.mjs";
import { median, ms, now, repeated, timed } from "../lib/measure.mjs";

export const needs = [built("nestbox"), guest("tiny-amd64.qcow2"), "qemu-img"];

const ROUNDS = 5;
const PAUSE_LIMIT_MS = 350;
const RESTORE_LIMIT_MS = 600;
const CLONE_LIMIT_MS = 1000;
const WRITE_RATIO = 0.9;
const CHAIN = 10;
const LIST = 1000;
const LIST_LIMIT_MS = 100;
const MERGE_MB = 256;

const BLOCK_MB = 64;
/** Random, so that no layer below takes it for a hole: /fill/block. */
const BLOCK =
  "mkdir -p /fill && mount -t tmpfs -o size=95% none /fill && dd if=/dev/urandom of=/fill/seed bs=1M count=16 && " +
  "cat /fill/seed /fill/seed /fill/seed /fill/seed >/fill/block";
/** Ten blocks more: most of 1 GiB is in use then. */
const FILL = `${BLOCK} && for n in 1 2 3 4 5 6 7 8 9 10; do cat /fill/block; done >/fill/all`;

const ratio = (mine, theirs) => `${(mine / theirs).toFixed(2)} ×`;

export async function run(setting, report) {
  await memory(setting, report);
  const shell = await throughput(setting, report);
  await merging(setting, report, shell);
  await longList(setting, report);
}

/** Milliseconds of one command of ours. */
const command = (setting, ...words) => timed(built("nestbox"), ["--quiet", ...words], setting.env);

/** Everything that keeps the memory of one guest, which has most of 1 GiB in use. */
async function memory(setting, report) {
  await makeMachine(setting, "big", "1G");
  const twin = await bareTwin(setting, "big");
  const shell = await boot(setting, "big");
  await shell.run(FILL);
  await twin.shell.run(FILL);
  await takeAndRestore(setting, report, twin);
  await shell.run("test -s /fill/all"); // The guest that was restored is the one that was taken.
  await clones(setting, report);
  await suspending(setting, report);
  await setting.cli("stop", "big", "--force");
  await twin.qmp.execute("quit");
  // Gigabytes of memory files that nothing below looks at.
  await setting.cli("trash", "empty", "--yes"); // The clones stand on it.
  await setting.cli("delete", "big", "--yes");
  await setting.cli("trash", "empty", "--yes");
  await rm(join(setting.home, "bare"), { recursive: true });
}

async function takeAndRestore(setting, report, { qmp, nodes }) {
  const internal = (tag) => ({ tag, vmstate: nodes[0], devices: nodes });
  const ours = { take: [], paused: [], restore: [], kept: [] };
  const bare = { save: [], paused: [], load: [] };
  let size = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const from = now();
    const taken = await setting.cli("snapshot", "take", "big", `s${round}`);
    ours.take.push(now() - from);
    ours.paused.push(taken.paused_seconds * 1000);
    size = taken.memory_size;
    const saved = await qmp.job("snapshot-save", internal(`s${round}`));
    bare.save.push(saved.took);
    bare.paused.push(saved.paused);
    ours.restore.push(await command(setting, "snapshot", "restore", "big", `s${round}`, "--discard"));
    bare.load.push((await qmp.job("snapshot-load", internal(`s${round}`))).took);
    // With others in the image the next one takes many times as long.
    await qmp.job("snapshot-delete", { tag: `s${round}`, devices: nodes });
    ours.kept.push(await command(setting, "snapshot", "restore", "big", `s${round}`));
  }
  const [paused, took, restored] = [ours.paused, ours.take, ours.restore].map(median);
  const [savedPaused, saved, loaded] = [bare.paused, bare.save, bare.load].map(median);
  const inUse = `${(size / 2 ** 20).toFixed(0)} MiB in use`;
  report.row(`snapshot with memory, ${inUse}, guest paused`, ms(paused), {
    beside: `snapshot-save ${ms(savedPaused)}, ${ratio(paused, savedPaused)}`,
    limit: ms(PAUSE_LIMIT_MS),
    ok: paused < PAUSE_LIMIT_MS,
  });
  report.row("the same, the whole command", ms(took), { beside: `snapshot-save ${ms(saved)}, ${ratio(took, saved)}` });
  report.row("restore it, the present thrown away", ms(restored), {
    beside: `snapshot-load ${ms(loaded)}, ${ratio(restored, loaded)}`,
    limit: ms(RESTORE_LIMIT_MS),
    ok: restored < RESTORE_LIMIT_MS,
  });
  const both = saved + loaded;
  report.row("restore it, the present kept with its memory", ms(median(ours.kept)), {
    beside: `snapshot-save and -load ${ms(both)}, ${ratio(median(ours.kept), both)}`,
  });
}

async function clones(setting, report) {
  const { disks } = await record(setting, "big", "s0");
  const overlay = join(setting.home, "overlay.qcow2");
  const create = ["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", disks[0], overlay];
  const cloned = [];
  const started = [];
  const bare = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [times, name, ...words] of [[cloned, `still ${round}`], [started, `live ${round}`, "--start"]]) {
      times.push(await command(setting, "clone", "big", name, "--linked", "--snapshot", "s0", ...words));
      if (words.length) await setting.cli("stop", name, "--force");
      await setting.cli("delete", name, "--yes");
    }
    bare.push(await timed("qemu-img", create, setting.env));
  }
  const took = median(cloned);
  report.row("linked clone of a snapshot with memory", ms(took), {
    beside: `${which("virt-clone") ? "virt-clone is not measured" : "no virt-clone here"}; qemu-img create -b alone ${ms(median(bare))}`,
    limit: ms(CLONE_LIMIT_MS),
    ok: took < CLONE_LIMIT_MS,
  });
  report.row("the same until it runs", ms(median(started)));
}

async function suspending(setting, report) {
  const gone = [];
  const back = [];
  for (let round = 0; round < ROUNDS; round++) {
    gone.push(await command(setting, "suspend", "big"));
    back.push(await command(setting, "start", "big"));
  }
  report.row("suspend", ms(median(gone)));
  report.row("start of the suspended machine until it runs", ms(median(back)));
}

/** Writing and reading in a guest whose disk is a chain, in turn with “flat”, whose disk is one image: that one's shell. */
async function throughput(setting, report) {
  const guests = { flat: await bootedMachine(setting, "flat", "512M"), deep: await bootedMachine(setting, "deep", "512M") };
  for (const shell of Object.values(guests)) await shell.run(BLOCK);
  const part = Math.floor(BLOCK_MB / CHAIN);
  for (let depth = 0; depth < CHAIN; depth++) {
    // Each layer has a part of the file that is read.
    const words = `bs=1M count=${part} seek=${depth * part} skip=${depth * part} conv=notrunc,fsync`;
    for (const shell of Object.values(guests)) await shell.run(`dd if=/fill/block of=/data/parts ${words}`);
    await setting.cli("snapshot", "take", "deep", `depth ${depth}`, "--no-memory");
  }
  const write = "dd if=/fill/block of=/data/whole bs=1M conv=notrunc,fsync";
  const read = "dd if=/data/parts of=/dev/null bs=1M";
  const row = async (what, megabytes, script, goal) => {
    const rates = { flat: [], deep: [] };
    for (let round = 0; round < 2 * ROUNDS + 1; round++) {
      for (const [name, shell] of Object.entries(guests)) rates[name].push(megabytes / (await seconds(shell, script)));
    }
    const [deep, flat] = [median(rates.deep), median(rates.flat)];
    const of = deep / flat;
    report.row(`${what}, ${CHAIN} snapshots deep`, `${deep.toFixed(0)} MiB/s`, {
      beside: `without snapshots ${flat.toFixed(0)} MiB/s, ${ratio(deep, flat)}`,
      ...(goal && { limit: `at least ${goal} ×`, ok: of >= goal }),
    });
  };
  await row("guest writes", BLOCK_MB, write, WRITE_RATIO);
  await row("guest reads what all layers have", part * CHAIN, read);
  await setting.cli("stop", "deep", "--force");
  return guests.flat;
}

/** Seconds that a command takes by the guest's clock, with nothing in its page cache. */
async function seconds(shell, script) {
  const clock = (name) => `read ${name} rest </proc/uptime`;
  const said = await shell.run(`echo 3 >/proc/sys/vm/drop_caches; ${clock("from")}; ${script} && ${clock("to")} && echo "took $from"-$to`);
  const [, from, to] = /^took ([\d.]+)-([\d.]+)/m.exec(said.replaceAll("\r", ""));
  return to - from;
}

/** Deleting a snapshot in the middle of “flat” while it runs, beside the same merge by qemu-img on copies. */
async function merging(setting, report, shell) {
  const { folder } = await setting.service.machine("flat");
  const copy = join(setting.home, "copy");
  const ours = [];
  const theirs = [];
  await setting.cli("snapshot", "take", "flat", "first", "--no-memory");
  for (let round = 0; round < ROUNDS; round++) {
    await setting.cli("snapshot", "take", "flat", `middle ${round}`, "--no-memory");
    const blocks = Array(MERGE_MB / BLOCK_MB).fill("/fill/block").join(" ");
    await shell.run(`cat ${blocks} | dd of=/data/big bs=1M conv=notrunc,fsync`);
    await setting.cli("snapshot", "take", "flat", `last ${round}`, "--no-memory");
    const { disks } = await record(setting, "flat", `last ${round}`);
    await cp(join(folder, "disks"), copy, { recursive: true });
    ours.push(await deleted(setting, "flat", `middle ${round}`));
    const image = disks[0].replace(join(folder, "disks"), copy);
    theirs.push(await timed("qemu-img", ["commit", "-q", "-d", "-f", "qcow2", image], setting.env));
    await rm(copy, { recursive: true });
  }
  const [mine, other] = [median(ours), median(theirs)];
  report.row(`delete a snapshot in the middle, ${MERGE_MB} MiB, live`, ms(mine), {
    beside: `qemu-img commit of equal images ${ms(other)}, ${ratio(mine, other)}`,
  });
  await setting.cli("stop", "flat", "--force");
}

/** Milliseconds until a snapshot is deleted and its images are merged. */
async function deleted(setting, machine, snapshot) {
  const from = now();
  const { job } = await setting.cli("snapshot", "delete", machine, snapshot);
  if (!job) throw new Error("nothing was merged");
  const done = async () => (await setting.service.get("/v1/jobs")).jobs.find(({ id }) => id === job)?.state !== "running";
  await until("the merge", done, { within: 120_000, every: 5 });
  const { state, error } = (await setting.service.get("/v1/jobs")).jobs.find(({ id }) => id === job);
  if (state !== "done") throw new Error(`the merge is ${state}: ${JSON.stringify(error)}`);
  return now() - from;
}

/** One machine with many snapshots: records beside the first, on branches from its image. */
async function longList(setting, report) {
  await setting.cli("create", "long", "--blank", "--disk", "1G");
  const first = await setting.cli("snapshot", "take", "long", "first");
  await setting.cli("snapshot", "take", "long", "second");
  const { folder, disks, text, id } = await record(setting, "long", "second");
  for (let n = 2; n < LIST; n++) {
    const [fresh, image] = [randomUUID(), randomUUID()].map((uuid) => uuid.replaceAll("-", ""));
    await cp(disks[0], join(disks[0], `../${image}.qcow2`));
    const copy = join(folder, "snapshots", fresh);
    await mkdir(copy);
    const old = disks[0].split("/").pop();
    const branch = text.replaceAll(id, fresh).replaceAll(old, `${image}.qcow2`).replace(/^name = .*$/m, `name = "branch ${n}"`);
    await writeFile(join(copy, "snapshot.toml"), branch);
  }
  await setting.cli("library", "check", "--rebuild");
  const { id: machine } = await setting.service.machine("long");
  const ask = async () => {
    const from = now();
    const { snapshots } = await setting.service.get(`/v1/machines/${machine}/snapshots`);
    const took = now() - from;
    if (snapshots.length !== LIST) throw new Error(`${snapshots.length} snapshots under ${first.name}, not ${LIST}`);
    return took;
  };
  const cold = await ask();
  const took = await repeated(3 * ROUNDS, ask);
  report.row(`list of ${LIST.toLocaleString("en")} snapshots by the API`, ms(took), {
    beside: `the first time ${ms(cold)}`,
    limit: ms(LIST_LIMIT_MS),
    ok: took < LIST_LIMIT_MS,
  });
  report.row("the same by the command", ms(await repeated(ROUNDS, () => command(setting, "snapshot", "list", "long"))));
}

/** A snapshot's record: its machine's folder, its id, the paths of its images, its text. */
async function record(setting, machine, name) {
  const { folder } = await setting.service.machine(machine);
  const { snapshots } = await setting.service.get(`/v1/machines/${encodeURIComponent(machine)}/snapshots`);
  const { id } = snapshots.find((snapshot) => snapshot.name === name);
  const text = await readFile(join(folder, "snapshots", id, "snapshot.toml"), "utf8");
  const disks = [...text.split("[spec]")[0].matchAll(/^image = "(.*)"$/gm)].map(([, image]) => join(folder, "disks", image));
  return { folder, id, disks, text };
}
