// Disk images coming in, going out and made smaller, beside cp, qemu-img and tar with zstd on the same files.
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { built } from "../../e2e/lib/setting.mjs";
import { median, ms, now, timed } from "../lib/measure.mjs";

export const needs = [built("nestbox"), "qemu-img", "qemu-io", "cp", "sync", "tar", "zstd"];

const MIB = 1 << 20;
/** Bytes of data in the image; its disk is a quarter larger. */
const DATA = 2048 * MIB;
const ROUNDS = 3;
const PLAN_LIMIT_MS = 100;
const FILES = 1000;
const FILES_LIMIT_MS = 1000;
const CONVERT = ["convert", "-W", "-m", "16"];

export async function run(setting, report) {
  // Outside of the library: nothing is exported into it.
  const files = await mkdtemp(join(tmpdir(), "nestbox-bench-"));
  setting.onClose(() => rm(files, { recursive: true, force: true }));
  const at = (name) => join(files, name);
  const shell = (script) => timed("sh", ["-ec", script], setting.env);
  const nestbox = (...words) => timed(built("nestbox"), ["--quiet", ...words], setting.env);

  await shell(`head -c ${DATA / 2} /dev/urandom > ${at("half")}; cat ${at("half")} ${at("half")} > ${at("source.raw")}; rm ${at("half")}`);
  await shell(`truncate -s ${DATA * 1.25} ${at("source.raw")}; sync ${at("source.raw")}`);
  await shell(`qemu-img ${CONVERT.join(" ")} -f raw -O qcow2 ${at("source.raw")} ${at("source.qcow2")}; sync ${at("source.qcow2")}`);
  await nestbox("list"); // The service is there.

  /** Both ways in turns, so that what else the computer does strikes both: the ratio of the medians. */
  async function beside(what, ours, theirs, limit, baseline) {
    const times = { ours: [], theirs: [] };
    for (let round = 0; round < ROUNDS; round++) {
      times.theirs.push(await theirs(round));
      times.ours.push(await ours(round));
    }
    const [mine, other] = [median(times.ours), median(times.theirs)];
    const ratio = mine / other;
    report.row(what, `${ms(mine)}, ${ratio.toFixed(2)} x`, { beside: `${baseline} ${ms(other)}`, limit: `${limit} x`, ok: ratio <= limit });
  }
  const gone = (name) => rm(at(name), { recursive: true, force: true });
  /** A machine made by `words`; it goes again, which is not measured. */
  async function made(words) {
    const took = await nestbox(...words, "--name", "in");
    await nestbox("delete", "in", "--yes");
    await nestbox("trash", "empty", "--yes");
    return took;
  }

  await beside(
    "import of a 2 GiB qcow2 by copy",
    () => made(["import", at("source.qcow2"), "--copy"]),
    () => shell(`cp --reflink=auto ${at("source.qcow2")} ${at("copy")}; sync ${at("copy")}; rm ${at("copy")}`),
    1.1,
    "cp and fsync",
  );
  report.row("import where it is", ms(await made(["import", at("source.qcow2"), "--link"])));
  const plan = await nestbox("import", at("source.qcow2"), "--dry-run");
  report.row("import plan", ms(plan), { limit: ms(PLAN_LIMIT_MS), ok: plan <= PLAN_LIMIT_MS });
  await recognised(setting, report, at, shell);

  for (const format of ["vmdk", "vdi", "vhdx"]) {
    const source = at(`source.${format}`);
    await shell(`qemu-img ${CONVERT.join(" ")} -f raw -O ${format} ${at("source.raw")} ${source}; sync ${source}`);
    await beside(
      `import of a 2 GiB ${format}`,
      () => made(["import", source, "--copy"]),
      () => shell(`qemu-img ${CONVERT.join(" ")} -f ${format} -O qcow2 ${source} ${at("out")}; sync ${at("out")}; rm ${at("out")}`),
      1.1,
      "qemu-img convert",
    );
    await gone(`source.${format}`);
  }

  await nestbox("import", at("source.qcow2"), "--copy", "--name", "whole");
  const { disks } = await setting.service.machine("whole");
  const image = disks[0].path;
  const options = { qcow2: "", vdi: "", vhdx: "", vmdk: "-o subformat=streamOptimized" };
  for (const [format, more] of Object.entries(options)) {
    await beside(
      `export as ${format}`,
      async (round) => {
        const took = await nestbox("export", "whole", at(`${round}.${format}`), "--overwrite");
        await gone(`${round}.${format}`);
        return took;
      },
      () => shell(`qemu-img ${CONVERT.join(" ")} -f qcow2 -O ${format} ${more} ${image} ${at("out")}; sync ${at("out")}; rm ${at("out")}`),
      1.2,
      "qemu-img convert",
    );
  }
  await beside(
    "compact",
    () => nestbox("disk", "compact", "whole", "1"),
    () => shell(`qemu-img ${CONVERT.join(" ")} -f qcow2 -O qcow2 ${image} ${at("out")}; qemu-img compare -q ${image} ${at("out")}; sync ${at("out")}; rm ${at("out")}`),
    1.2,
    "qemu-img convert and compare",
  );
  await beside(
    "backup",
    async () => {
      const took = await nestbox("backup", "whole", at("whole.backup"), "--overwrite");
      await gone("whole.backup");
      return took;
    },
    () => shell(`tar -C ${join(image, "../..")} -cf - . | zstd -q -T2 -1 -o ${at("out")}; sync ${at("out")}; rm ${at("out")}`),
    1.2,
    "tar and zstd -T2",
  );
}

/** Small files of every kind, one question each. */
async function recognised(setting, report, at, shell) {
  const folder = at("many");
  await mkdir(folder);
  const kinds = ["qcow2", "raw", "vmdk", "vdi", "vhdx", "vpc"];
  for (const kind of kinds) await shell(`qemu-img create -q -f ${kind} ${join(folder, `0.${kind}`)} 16M`);
  await writeFile(join(folder, "0.txt"), "nothing of the kind");
  const seeds = (await readdir(folder)).map((name) => join(folder, name));
  for (let n = seeds.length; n < FILES; n++) await shell(`cp ${seeds[n % seeds.length]} ${join(folder, String(n))}`);
  const names = await readdir(folder);
  const asked = async (once) => {
    const from = now();
    for (const name of names) await once(name);
    return now() - from;
  };
  const empty = await asked(() => setting.service.get("/v1/machines"));
  const all = await asked((name) => setting.service.raw("POST", "/v1/import/plan", { path: join(folder, name) }));
  const took = all - empty;
  report.row(`recognise ${names.length} files, one after the other`, ms(took), {
    beside: `as many empty questions, left out: ${ms(empty)}`,
    limit: ms(FILES_LIMIT_MS),
    ok: took <= FILES_LIMIT_MS,
  });
}
