/** Disks of a machine, their files, export and backup, over the fixtures. */
import { error, ok } from "./answers.mjs";

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const inDays = (days) => new Date(Date.now() + days * 86_400_000).toISOString();

/** A disk as every view of a machine shows it. */
export const disk = (id, number, extra = {}) => ({
  id,
  path: `/home/builder/.local/share/nestbox/machines/x/disks/${id}.qcow2`,
  format: "qcow2",
  capacity: 20 * GIB,
  used: Math.round(2.9 * GIB),
  read_only: false,
  number,
  bus: "virtio",
  cache: "writeback",
  discard: true,
  iothread: false,
  label: null,
  linked: null,
  linked_missing: false,
  ...extra,
});

const details = (one, extra = {}) => ({
  ...one,
  attached: true,
  detached_at: null,
  removed_at: null,
  purge_at: null,
  in_snapshots: 0,
  shared: 0,
  chain: [{ path: one.path, bytes: one.used, role: "active" }],
  ...extra,
});

/** Of every machine its own disks; “Fedora Workstation” has some of each kind. */
function disksOf(db, one) {
  db.disks ??= {};
  db.disks[one.id] ??= [
    ...one.disks.map((each, at) => details({ ...disk(each.id, at + 1), ...each }, at === 0 && one.snapshots > 0 ? { in_snapshots: Math.round(5.1 * GIB), shared: 600 * MIB } : {})),
    ...(one.name === "Fedora Workstation"
      ? [
          details(disk("d0ff5e7a9b1c4d2e8f60a1b2c3d4e5f6", 0, { label: "Old home", capacity: 32 * GIB, used: 9 * GIB }), { attached: false, detached_at: inDays(-2) }),
          details(disk("b1a5c0de9b1c4d2e8f60a1b2c3d4e5f6", 0, { label: "Scratch", capacity: 8 * GIB, used: 700 * MIB }), { attached: false, detached_at: inDays(-1), removed_at: inDays(-1), purge_at: inDays(6) }),
        ]
      : []),
  ];
  return db.disks[one.id];
}

/** Disks that emptying the trash frees. */
export const binned = (db) =>
  db.machines.flatMap((one) =>
    disksOf(db, one)
      .filter((each) => each.removed_at)
      .map((each) => ({ id: each.id, label: each.label, machine: one.id, machine_name: one.name, bytes: each.used })),
  );

export function emptyBins(db) {
  for (const one of db.machines) db.disks[one.id] = disksOf(db, one).filter((each) => !each.removed_at);
}

function show(db, one) {
  const attached = disksOf(db, one).filter((each) => each.attached);
  attached.forEach((each, at) => (each.number = at + 1));
  one.disks = attached.map((each) => Object.fromEntries(Object.entries(each).filter(([key]) => !["attached", "detached_at", "removed_at", "purge_at", "in_snapshots", "shared", "chain"].includes(key))));
  db.changed(one);
}

const job = (db, kind, title, one, result) => {
  const made = db.job(kind, title, one);
  made.result = result;
  db.tell("job.progress", { job: made });
  return made;
};
const running = (one) => ["running", "paused"].includes(one.state);

export function diskRoute(db, method, one, rest, body, query) {
  const disks = disksOf(db, one);
  const [id, verb] = rest;
  if (!id) {
    if (method === "GET") return ok({ disks });
    const made = details(disk(`new${db.next++}`.padEnd(32, "0"), disks.length + 1, { label: body.label ?? null, bus: body.bus ?? "virtio", capacity: body.size ?? 10 * GIB, used: body.size ? 192 * 1024 : GIB, linked: body.action === "link" ? body.file : null }));
    disks.splice(disks.filter((each) => each.attached).length, 0, made);
    show(db, one);
    return ok({ job: body.file ? job(db, "disk-add", `Add a disk to “${one.name}”`, one, null) : null, disk: body.file ? null : made, notes: [] });
  }
  const found = disks.find((each) => each.id === id);
  if (!found) return error(404, "disk-not-found", "There is no such disk.");
  const name = found.label ?? `Disk ${found.number}`;
  switch (verb) {
    case undefined: {
      if (method === "DELETE") {
        Object.assign(found, { attached: false, removed_at: inDays(0), purge_at: inDays(7) });
        show(db, one);
        return ok({ removed: found, purge_at: found.purge_at, freed: 0, notes: [] });
      }
      const { position, ...change } = body;
      Object.assign(found, change, "label" in change ? { label: change.label || null } : {});
      if (position) {
        disks.splice(disks.indexOf(found), 1);
        disks.splice(position - 1, 0, found);
      }
      show(db, one);
      return ok(found);
    }
    case "restore":
      Object.assign(found, { attached: true, removed_at: null, purge_at: null, detached_at: null });
      disks.splice(disks.indexOf(found), 1);
      disks.splice(disks.filter((each) => each.attached).length, 0, found);
      show(db, one);
      return ok(found);
    case "detach":
      if (running(one)) return error(409, "guest-holds-disk", "The guest did not let go of the disk.", "Unmount it in the guest, then try again.");
      Object.assign(found, { attached: false, detached_at: inDays(0) });
      show(db, one);
      return ok(found);
    case "attach":
      if (body.to) {
        disks.splice(disks.indexOf(found), 1);
        const other = db.find(body.to);
        disksOf(db, other).push(found);
        found.attached = true;
        show(db, other);
      } else {
        Object.assign(found, { attached: true, detached_at: null });
        disks.splice(disks.indexOf(found), 1);
        disks.splice(disks.filter((each) => each.attached).length, 0, found);
      }
      show(db, one);
      return ok({ job: null, disk: found, notes: [] });
    case "resize":
      found.capacity = body.size;
      show(db, one);
      return ok({ job: null, disk: found, notes: ["The guest’s partition does not grow by itself. As root in the guest:\n  growpart /dev/vda 1 && resize2fs /dev/vda1"] });
    case "compact":
      return ok(job(db, "disk-compact", `Compact ${name} of “${one.name}”`, one, { before: found.used, after: Math.round(found.used * 0.6) }));
    case "check": {
      const bad = found.label === "Old home" && !body.repair;
      return ok(job(db, "disk-check", `Check ${name} of “${one.name}”`, one, { ok: !bad, corruptions: bad ? 3 : 0, leaks: 0, repaired: body.repair ? 3 : 0, images: [], kept: body.repair ? "/x" : null }));
    }
    case "files":
      return files(one, query);
    case "copy-out":
      if (!body.overwrite && body.to === "/home/builder/full") return error(409, "file-exists", "There is such a file.", "Choose another folder.");
      return ok(job(db, "copy-out", `Copy ${body.paths.length} items out of “${one.name}”`, one, { files: 12, folders: 2, bytes: 3 * MIB, skipped: [{ path: "/etc/mtab", why: "It is a link." }] }));
    default:
      return error(404, "not-found", "There is no such thing.");
  }
}

const volume = (number, filesystem, size, extra = {}) => ({ number, name: null, filesystem, label: null, size, used: null, browsable: true, reason: null, ...extra });
const VOLUMES = [
  volume(1, "fat", 512 * MIB, { name: "EFI system partition", used: 6 * MIB }),
  volume(2, "ext4", 18 * GIB, { label: "root", used: 7 * GIB }),
  volume(3, "LUKS", 1.5 * GIB, { name: "crypt", browsable: false, reason: "It is encrypted. Start the machine and use a shared folder." }),
];
const entry = (name, kind, size = 0, minutes = 90, target = null) => ({ name, kind, size, modified: new Date(Date.now() - minutes * 60_000).toISOString(), target });
const ETC = [
  ...["apt", "default", "network", "ssh", "systemd", "X11"].map((name, at) => entry(name, "folder", 0, 4000 + at)),
  ...["fstab", "group", "hostname", "hosts", "machine-id", "passwd", "shadow", "ssl.conf"].map((name, at) => entry(name, "file", 80 + at * 733, 200 + at * 977)),
  entry("mtab", "link", 0, 90, "/proc/self/mounts"),
  entry("A name that goes on and on so that it takes more than one line wherever it is shown, because people and programs write such names.tar.gz", "file", 91 * MIB),
];
const ROOT = [
  ...["bin", "boot", "dev", "etc", "home", "lots", "opt", "root", "srv", "tmp", "usr", "var"].map((name, at) => entry(name, name === "bin" ? "link" : "folder", 0, 3000 + at, name === "bin" ? "usr/bin" : null)),
  entry("swapfile", "file", 2 * GIB),
];
const LOTS = Array.from({ length: 10_000 }, (_, at) => entry(`file-${String(at).padStart(5, "0")}.log`, "file", at * 37));

function files(one, query) {
  if (running(one) && !query.get("snapshot")) return error(409, "machine-running", `“${one.name}” is running: its disk changes while it is read.`, "Take a snapshot, and browse that.");
  const asked = query.get("path") ?? "";
  if (asked === "") return ok({ volumes: VOLUMES, volume: 0, path: "/", entries: [], more: false, notes: [] });
  const [, number, path = "/"] = asked.match(/^(?:(\d+):)?(\/.*)$/) ?? [];
  if (number === undefined) return error(400, "volume-unclear", "The disk has several volumes, and the path does not say which.", "Name one.");
  const at = Number(number);
  const known = at === 2 ? { "/": ROOT, "/etc": ETC, "/lots": LOTS } : { "/": [entry("EFI", "folder")] };
  const entries = known[path] ?? [];
  const after = query.get("after");
  const from = after ? entries.findIndex((each) => each.name === after) + 1 : 0;
  const page = entries.slice(from, from + 4_000);
  return ok({ volumes: VOLUMES, volume: at, path, entries: page, more: from + page.length < entries.length, notes: at === 2 && path === "/" ? ["The file system was not shut down cleanly: the newest changes may be missing."] : [] });
}

const endingOf = (path) => path.split(".").pop();
const isThere = (path) => path.startsWith("/home/builder/there");

export function carryRoute(db, verb, one, body, query) {
  if (verb === "backup") {
    if (isThere(body.to) && !body.overwrite) return error(409, "file-exists", "There is such a file.", "Choose another name.");
    return ok(job(db, "backup", `Back up “${one.name}”`, one, { path: body.to, bytes: 3 * GIB }));
  }
  const format = body.format ?? endingOf(body.to);
  const whole = format === "ova" || format === "utm";
  const plan = {
    format,
    files: whole ? [{ path: body.to, estimate: 3 * GIB, exists: isThere(body.to) }] : one.disks.slice(0, body.disk ? 1 : 9).map((each, at) => ({ path: at === 0 ? body.to : body.to.replace(/\.(\w+)$/, `-disk${at + 1}.$1`), estimate: each.used, exists: isThere(body.to) })),
    notes: [...(one.snapshots > 0 ? [`The ${one.snapshots} snapshots stay here: only one point is exported.`] : []), "Port forwards and notes have no place in this format."],
  };
  if (query.get("dry_run")) return ok(plan);
  return ok(job(db, "export", `Export “${one.name}”`, one, { files: plan.files.map(({ path, estimate }) => ({ path, bytes: estimate, sha256: "0" })), notes: plan.notes }));
}

export function restoreBackup(db, body, query, make) {
  if (!/\.nestbox-backup$|backup/.test(body.file)) return error(400, "not-a-backup", "This is not a backup of Nestbox.", "Choose a file that “Back up…” has made.");
  const info = { name: "Mail server", system: "Debian 13", created_at: inDays(-9), version: 1, snapshots: 4, disks: 2, bytes: 14 * GIB, notes: ["Its network address is used by another machine here: it gets a new one."] };
  if (query.get("dry_run")) return ok(info);
  const one = make(body.name ?? info.name, "stopped", { system: info.system });
  db.machines.push(one);
  db.tell("machine.added", { machine: one.id, machine_now: one });
  return ok({ job: db.job("restore-backup", `Restore “${one.name}”`, one), machine: one });
}
