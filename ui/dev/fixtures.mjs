/** A library as the service would answer it. Development and screenshots only; never in the build. */
import { disk } from "./disks.mjs";

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

const SETTABLE = ["cpus", "memory", "display.resolution", "boot.order", "notes", "tags", "firmware", "accelerator", "clock", "snapshots.every", "snapshots.before-start", "snapshots.keep"];
const hex = (seed) => {
  let x = 2166136261;
  let out = "";
  for (let round = 0; out.length < 32; round += 1) {
    for (const c of `${seed}${round}`) x = Math.imul(x ^ c.charCodeAt(0), 16777619) >>> 0;
    out += x.toString(16).padStart(8, "0");
  }
  return out.slice(0, 32);
};
const ago = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();

export function machine(name, state, extra = {}) {
  const id = hex(name);
  const on = ["running", "paused", "starting", "stopping"].includes(state);
  const arch = extra.arch ?? "x86_64";
  const emulated = arch !== "x86_64";
  return {
    id,
    name,
    state,
    state_reason: null,
    arch,
    template: null,
    system: null,
    cpus: 2,
    memory: 2 * GIB,
    firmware: "uefi",
    accelerator: on ? (emulated ? "tcg" : "kvm") : null,
    accelerator_reason: on
      ? emulated
        ? "This computer’s processor is amd64: other architectures are emulated."
        : "KVM passed its test on this computer."
      : null,
    created_at: ago(60 * 24 * 9),
    started_at: on ? ago(extra.up ?? 192) : null,
    tags: [],
    notes: "",
    pid: on ? 4242 : null,
    current_snapshot: null,
    snapshots: 0,
    folder: `/home/builder/.local/share/nestbox/machines/${id}`,
    resolution: [1280, 800],
    disks: [
      disk(hex(`${name}-disk`), 1, { path: `/home/builder/.local/share/nestbox/machines/${id}/disks/${hex(`${name}-d`)}.qcow2` }),
    ],
    medium: null,
    nics: [{ id: hex(`${name}-nic`), network: "default", mac: "52:54:00:4b:e1:9d", address: on ? "10.0.2.15" : null, link: "up" }],
    ports: [],
    shares: [],
    user: null,
    ways_in: { ssh_command: null },
    job: null,
    settable: SETTABLE,
    boot_order: [],
    accelerator_choice: "auto",
    clock_local: false,
    auto_snapshots: { every_hours: 0, before_start: false, keep: 10 },
    disposable: false,
    suspended_at: state === "suspended" ? ago(95) : null,
    origin: null,
    needed_by: [],
    ...Object.fromEntries(Object.entries(extra).filter(([key]) => !["up", "scene"].includes(key))),
  };
}

const SCENES = {
  "Ubuntu Desktop": "desktop",
  "Fedora Workstation": "fedora",
  "Web server": "htop",
  Postgres: "alpine",
  "Ubuntu arm64": "boot",
  "Alpine router": "alpine",
  "RISC-V board": "uefi",
};
export const sceneOf = (name) => SCENES[name] ?? "bios";

function machines() {
  const ssh = (port) => ({ ports: [{ protocol: "tcp", host: port, guest: 22 }], user: { name: "builder" }, ways_in: { ssh_command: `ssh -p ${port} builder@127.0.0.1` } });
  return [
    machine("Ubuntu Desktop", "running", { tags: ["Desktops", "work"], system: "Ubuntu 24.04 LTS", template: "ubuntu-24.04-desktop", cpus: 4, memory: 8 * GIB, resolution: [1280, 800], ...ssh(2222), ports: [{ protocol: "tcp", host: 2222, guest: 22 }, { protocol: "tcp", host: 8080, guest: 80 }], disks: [disk(hex("ud"), 1, { capacity: 64 * GIB, used: Math.round(18.6 * GIB) })] }),
    machine("Debian testing", "paused", { tags: ["Desktops"], system: "Debian 13" }),
    machine("Fedora Workstation", "stopped", { tags: ["Desktops", "work"], system: "Fedora 43", cpus: 4, memory: 4 * GIB, disks: [disk(hex("fw1"), 1), disk(hex("fw2"), 2, { label: "Photos and everything else that came off the old laptop before it was given away", capacity: 200 * GIB, used: 71 * GIB, bus: "scsi", linked: "/media/builder/backup drive/photos.qcow2", linked_missing: true })] }),
    machine("Web server", "running", { tags: ["Servers"], system: "Debian 13", up: 60 * 24 * 6, ...ssh(2223) }),
    machine("Postgres", "running", { tags: ["Servers"], system: "Debian 13", up: 60 * 24 * 6 }),
    machine("Rocky build agent", "broken", { tags: ["Servers"], system: "Rocky Linux 9", state_reason: "Another program (qemu-nbd, process 48213) has its disk open. Two writers would damage it." }),
    machine("Alpine router", "running", { tags: ["Lab"], system: "Alpine 3.22", up: 41 }),
    machine("FreeBSD build", "suspended", { tags: ["Lab"], system: "FreeBSD 14" }),
    machine("Ubuntu arm64", "running", { tags: ["Lab"], system: "Ubuntu 24.04 LTS", arch: "aarch64", up: 12 }),
    machine("RISC-V board", "starting", { tags: ["Lab"], system: "Debian 13", arch: "riscv64", up: 0 }),
    machine("OpenBSD edge", "stopped", { tags: ["Lab"], system: "OpenBSD 7.6" }),
    machine("Arch scratch", "stopped", { tags: ["Lab"], system: "Arch Linux" }),
  ];
}

export const snapshot = (id, name, parent, minutes, size, extra = {}) => ({
  id, name, parent, created_at: ago(minutes), memory: false, size: Math.round(size * MIB), screenshot: `/x/${id}.png`, notes: "", automatic: false, kind: "user", keep: false, paused: false, memory_size: 0, memory_packed: false, group: null, medium: null, needed_by: [], scene: "desktop", ...extra,
});
const DAY = 24 * 60;
function snapshots() {
  return {
    current: "s6",
    depth: 6,
    snapshots: [
      snapshot("s1", "Clean install", null, 6 * DAY + 20, 3994, { scene: "desktop-clean" }),
      snapshot("s2", "Updates installed", "s1", 6 * DAY, 690, { scene: "desktop-clean" }),
      snapshot("s3", "Toolchain ready", "s2", 4 * DAY, 2458),
      snapshot("s4", "Smaller swap", "s3", DAY + 40, 236),
      snapshot("s5", "Wayland only", "s4", DAY, 1126, { scene: "fedora" }),
      snapshot("s6", "Before kernel upgrade", "s3", 14, 412, { memory: true, memory_size: 320 * MIB, scene: "boot" }),
    ],
  };
}

/** A machine with one of each kind of snapshot. */
function timeline() {
  return {
    current: "w5",
    depth: 19,
    snapshots: [
      snapshot("w1", "Installed", null, 9 * DAY, 1380, { scene: "alpine", keep: true, needed_by: ["Web server staging"], notes: "Straight from the image, with nothing of ours in it yet." }),
      snapshot("w2", "Before the move to nginx, with the old certificates still in place and the log rotation off", "w1", 3 * DAY, 226, { scene: "htop" }),
      snapshot("w3", "Friday 18:00 · 96 MB written", "w2", 2 * DAY, 410, { scene: "htop", kind: "scheduled", automatic: true, memory: true, memory_size: 314 * MIB, memory_packed: true }),
      snapshot("w4", "Before restore", "w3", DAY, 188, { scene: "htop", kind: "before-restore", automatic: true, memory: true, memory_size: 150 * MIB }),
      snapshot("w5", "Release 2.1", "w2", 300, 612, { scene: "htop", memory: true, memory_size: 540 * MIB, group: "g1" }),
    ],
  };
}

/** So many that only those in view may exist. */
function manySnapshots() {
  const kinds = ["user", "scheduled", "scheduled", "before-start"];
  const list = Array.from({ length: 1000 }, (_, at) =>
    snapshot(`m${at}`, `Point ${at}`, at === 0 ? null : `m${at % 17 === 0 ? Math.max(0, at - 25) : at - 1}`, 2_000 - at * 2, 20 + (at % 90), { kind: kinds[at % 4], automatic: at % 4 !== 0, scene: "boot" }),
  );
  return { current: "m999", depth: 1001, snapshots: list };
}

export const DOWNLOADS = [["Downloaded image: debian-13", 1211], ["Unfinished downloads", 88]];

export function space(list, all, trash, downloads, disks) {
  const item = (kind, one, snap, title, bytes, freeable, action, note = null) => ({ kind, machine: one?.id ?? null, machine_name: one?.name ?? null, snapshot: snap?.id ?? null, title, bytes, freeable, action, note });
  const items = [];
  for (const one of list) {
    for (const snap of all[one.id]?.snapshots ?? []) {
      if (snap.memory_size > 0) items.push(item("memory", one, snap, `Memory of “${snap.name}”`, snap.memory_size, snap.memory_size, "drop-memory", "Without it, restoring boots from the snapshot's disks."));
      const needed = snap.needed_by.length > 0;
      items.push(item("snapshot", one, snap, `Disks of “${snap.name}”`, snap.size - snap.memory_size, needed ? 0 : snap.size - snap.memory_size, needed ? null : "delete-snapshot", needed ? `Clones stand on it: ${snap.needed_by.join(", ")}` : "At most so much: what later snapshots need is merged into them."));
    }
    if (one.state === "suspended") items.push(item("suspended", one, null, "Saved state", 640 * MIB, 640 * MIB, "discard-state"));
    if (one.disks.length > 0) items.push(item("disk", one, null, "Disk as it is now", one.disks[0].used, 0, null));
  }
  const ubuntu = list.find((one) => one.name === "Ubuntu Desktop");
  if (ubuntu) items.push(item("leftover", ubuntu, null, "Images of deleted snapshots", 1380 * MIB, 900 * MIB, "tidy", "The rest is still needed."));
  for (const entry of trash) items.push(item("trash", entry, null, `“${entry.name}” in the trash`, entry.size, entry.size, "empty-trash"));
  for (const [title, size] of downloads) items.push(item("cache", null, null, title, size * MIB, size * MIB, "prune-cache", "No machine stands on it; the next one downloads it again."));
  for (const each of disks) items.push(item("trash", { id: each.machine, name: each.machine_name }, null, `The disk “${each.label}” in the bin`, each.bytes, each.bytes, "empty-trash", "Emptying the trash removes it for good."));
  return { free: HOST.disk_free, items: items.sort((a, b) => b.bytes - a.bytes) };
}

export const HOST = { system: "Debian GNU/Linux 12", arch: "x86_64", cpus: 8, memory: 32 * GIB, memory_free: 18 * GIB, disk_free: 212 * GIB, disk_total: 512 * GIB };

export function doctor(accel) {
  const works = accel !== "none";
  return {
    ok: true,
    checks: [
      { id: "accelerator.kvm", status: works ? "ok" : "warning", message: works ? "KVM works: a test guest ran in 41 ms." : "This account can’t open /dev/kvm: it isn’t in the kvm group. Machines still run, but are emulated.", fix: works ? null : "sudo usermod -aG kvm $USER", technical: works ? null : "open /dev/kvm: Permission denied (os error 13)" },
      { id: "qemu.x86_64", status: "ok", message: "QEMU 10.0.2 for amd64 at /usr/bin.", fix: null },
      { id: "qemu.aarch64", status: "ok", message: "QEMU 10.0.2 for arm64 at /usr/bin.", fix: null },
      { id: "qemu.riscv64", status: works ? "ok" : "missing", message: works ? "QEMU 10.0.2 for riscv64 at /usr/bin." : "QEMU for riscv64 is not installed.", fix: works ? null : "sudo apt install qemu-system-misc" },
      { id: "firmware.aarch64", status: "ok", message: "UEFI firmware for arm64 is there.", fix: null },
      { id: "space", status: "ok", message: "212 GB free where the library is.", fix: null },
    ],
    accelerators: [
      { name: "kvm", arch: "x86_64", usable: works, tested: works, reason: works ? "KVM passed its test on this computer." : "This account can’t open /dev/kvm.", cure: works ? null : "Join the kvm group, then sign in again.", seconds: works ? 0.04 : null },
      { name: "tcg", arch: "x86_64", usable: true, tested: true, reason: "Emulation always works.", seconds: 0.9, slowdown: 18 },
      { name: "tcg", arch: "aarch64", usable: true, tested: true, reason: "This computer’s processor is amd64: other architectures are emulated.", seconds: 0.9, slowdown: 21 },
      { name: "tcg", arch: "riscv64", usable: true, tested: true, reason: "This computer’s processor is amd64: other architectures are emulated.", seconds: 0.8, slowdown: 19 },
    ],
    host: HOST,
  };
}

const image = (size, cached = false) => ({ kind: "cloud-image", url: "https://images.example/disk.img", size: Math.round(size * MIB), verified_by: "gpg", cached });
const installer = (size) => ({ kind: "installer", url: "https://images.example/install.iso", size: Math.round(size * MIB), verified_by: "gpg", cached: false });
const template = (id, name, family, glyph, variant, summary, arches, user) => ({
  id, name, family, variant, summary, glyph, arches, defaults: { cpus: 2, memory: 2 * GIB, disk: 20 * GIB }, user,
});
export const TEMPLATES = [
  template("ubuntu-24.04", "Ubuntu 24.04 LTS", "ubuntu", "Ub", "server", "Server, ready in a minute.", { x86_64: image(594), aarch64: image(579, true), riscv64: image(610) }, "ubuntu"),
  template("ubuntu-26.04", "Ubuntu 26.04 LTS", "ubuntu", "Ub", "server", "The newest long-term release.", { x86_64: image(640), aarch64: image(622) }, "ubuntu"),
  template("ubuntu-24.04-desktop", "Ubuntu 24.04 Desktop", "ubuntu", "Ub", "desktop", "With GNOME, from the installer.", { x86_64: installer(6144) }, null),
  template("debian-13", "Debian 13", "debian", "De", "server", "Stable and small.", { x86_64: image(412), aarch64: image(398), riscv64: image(405) }, "debian"),
  template("fedora-43", "Fedora 43", "fedora", "Fe", "server", "New software early.", { x86_64: image(556), aarch64: image(541) }, "fedora"),
  template("alpine-3.22", "Alpine 3.22", "alpine", "Al", "minimal", "Tiny: boots in seconds.", { x86_64: image(204), aarch64: image(196) }, "alpine"),
];

export function library(scenario) {
  const list = scenario.startsWith("empty") ? [] : machines();
  const desktop = list.find((one) => one.name === "Ubuntu Desktop");
  if (desktop) {
    desktop.current_snapshot = "s6";
    desktop.snapshots = 6;
  }
  const web = list.find((one) => one.name === "Web server");
  if (web) Object.assign(web, { current_snapshot: "w5", snapshots: 5, needed_by: ["Web server staging"], auto_snapshots: { every_hours: 6, before_start: true, keep: 8 } });
  const fedora = list.find((one) => one.name === "Fedora Workstation");
  if (fedora) fedora.auto_snapshots = { every_hours: 0, before_start: true, keep: 5 };
  if (web && scenario === "timeline") {
    const staging = machine("Web server staging", "running", { tags: ["Servers"], system: "Debian 13", up: 22, disposable: true });
    staging.origin = { machine: web.id, machine_name: web.name, snapshot: "w1", snapshot_name: "Installed", linked: true };
    list.push(staging);
  }
  if (scenario === "many") {
    for (let i = list.length; i < 10_000; i += 1) {
      list.push(machine(`Machine ${i}`, i % 7 === 0 ? "running" : "stopped", { tags: [`Group ${i % 20}`], system: "Debian 13" }));
    }
  }
  const jobs = [];
  if (scenario === "creating") {
    const making = machine("Ubuntu arm64 2", "creating", { tags: ["Lab"], arch: "aarch64", system: "Ubuntu 24.04 LTS", template: "ubuntu-24.04", job: "j1" });
    list.push(making);
    jobs.push(createJob(making));
  }
  const all = {};
  if (desktop) all[desktop.id] = scenario === "many-snapshots" ? manySnapshots() : snapshots();
  if (web) all[web.id] = timeline();
  const postgres = list.find((one) => one.name === "Postgres");
  if (postgres) {
    all[postgres.id] = { current: "p1", depth: 2, snapshots: [snapshot("p1", "Release 2.1", null, 300, 540, { scene: "alpine", memory: true, memory_size: 500 * MIB, group: "g1" })] };
    Object.assign(postgres, { current_snapshot: "p1", snapshots: 1 });
  }
  return { machines: list, snapshots: all, jobs, trash: [], activity: desktop ? activity(desktop.id, list) : [], config: { theme: "system", language: "en" } };
}

export function createJob(one) {
  return {
    id: one.job, kind: "create", title: `Create “${one.name}”`, state: "running", progress: 0.62, message: "Downloading the image", machine: one.id,
    bytes_done: 392 * MIB, bytes_total: 632 * MIB, rate: 18.4 * MIB, seconds_left: 13, pausable: true, created_at: ago(1), finished_at: null, error: null,
    steps: [
      { id: "verify-signature", title: "Check who signed it", state: "done", detail: "Signed with the Ubuntu cloud image key 1A5D 6C4C 7DB8 7C81" },
      { id: "download", title: "Download the image", state: "running", detail: "cloud-images.ubuntu.com" },
      { id: "verify-image", title: "Check every byte against the signature", state: "waiting", detail: null },
      { id: "disk", title: "Prepare a 20 GB disk", state: "waiting", detail: null },
      { id: "start", title: "First boot", state: "waiting", detail: null },
    ],
  };
}

function activity(desktop, list) {
  const entry = (minutes, id, kind, message) => ({ at: ago(minutes), machine: id, kind, message });
  const fedora = list.find((one) => one.name === "Fedora Workstation")?.id ?? null;
  return [
    entry(14, desktop, "snapshot.taken", "Snapshot “Before kernel upgrade”"),
    entry(192, desktop, "machine.state", "Started with KVM"),
    entry(DAY, desktop, "snapshot.restored", "Restored “Toolchain ready”"),
    entry(DAY + 3, fedora, "machine.state", "Shut down by the guest"),
    entry(DAY + 90, fedora, "machine.state", "Started with KVM"),
    entry(4 * DAY, fedora, "machine.added", "Imported from fedora-43.qcow2"),
  ];
}
