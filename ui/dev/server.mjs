/**
 * The API over the fixtures, for development and for tests of the pages: state lives in the dev server, one
 * library for each scenario (`X-Scenario` comes from the page's `?scenario=`). Never part of the build.
 */
import { createHash } from "node:crypto";
import { error } from "./answers.mjs";
import { binned, carryRoute, diskRoute, emptyBins, restoreBackup } from "./disks.mjs";
import { importPlan } from "./imports.mjs";
import { doctor, DOWNLOADS, HOST, library, machine, sceneOf, space, TEMPLATES } from "./fixtures.mjs";
import { scene } from "./guest.mjs";
import { cloneMachine, snapshotRoute, takeTogether } from "./snapshots.mjs";

const json = (res, status, body) => {
  res.statusCode = status;
  res.setHeader("content-type", "application/json");
  res.end(body === undefined ? "" : JSON.stringify(body));
};
const picture = (res, text) => {
  res.setHeader("content-type", "image/svg+xml");
  res.setHeader("cache-control", "no-store");
  res.end(text);
};

class Fixtures {
  constructor(scenario) {
    this.scenario = scenario;
    Object.assign(this, library(scenario));
    this.downloads = this.machines.length > 0 ? DOWNLOADS : [];
    this.sockets = new Set();
    this.tick = 0;
    this.next = 1;
  }
  tell(kind, extra = {}) {
    const event = JSON.stringify({ at: new Date().toISOString(), kind, ...extra });
    for (const socket of this.sockets) sendText(socket, event);
  }
  changed(one, kind = "machine.changed", message) {
    if (message) this.activity.unshift({ at: new Date().toISOString(), machine: one.id, kind, message });
    this.tell(kind, { machine: one.id, machine_now: one, ...(message ? { message } : {}) });
    return { status: 200, body: one };
  }
  /** A job that is over at once. */
  job(kind, title, one) {
    const at = new Date().toISOString();
    const job = { id: `q${this.next++}`, kind, title, state: "done", progress: 1, message: "", machine: one.id, bytes_done: null, bytes_total: null, rate: null, seconds_left: null, pausable: false, created_at: at, finished_at: at, error: null, steps: [], result: null };
    this.jobs.unshift(job);
    this.tell("job.progress", { job });
    return job;
  }
  find(id) {
    return this.machines.find((one) => one.id === id || one.name === id);
  }
  state(one, state, message) {
    const on = ["running", "paused", "starting", "stopping"].includes(state);
    one.state = state;
    one.state_reason = null;
    one.accelerator = on ? (one.arch === "x86_64" ? "kvm" : "tcg") : null;
    one.accelerator_reason = on ? "KVM passed its test on this computer." : null;
    if (!on) one.started_at = null;
    if (!on) one.disposable = false;
    else one.started_at ??= new Date().toISOString();
    one.nics[0].address = on ? "10.0.2.15" : null;
    return this.changed(one, "machine.state", message);
  }
}

const KEYS = {
  cpus: (m, v) => (m.cpus = v),
  memory: (m, v) => (m.memory = v),
  notes: (m, v) => (m.notes = v),
  tags: (m, v) => (m.tags = v),
  firmware: (m, v) => (m.firmware = v),
  accelerator: (m, v) => (m.accelerator_choice = v),
  clock: (m, v) => (m.clock_local = v === "local"),
  "boot.order": (m, v) => (m.boot_order = v),
  "display.resolution": (m, v) => (m.resolution = v.split("x").map(Number)),
  "snapshots.every": (m, v) => (m.auto_snapshots.every_hours = v),
  "snapshots.before-start": (m, v) => (m.auto_snapshots.before_start = v),
  "snapshots.keep": (m, v) => (m.auto_snapshots.keep = v),
};

function machineRoute(db, method, one, rest, body, query) {
  const [verb] = rest;
  switch (verb) {
    case undefined:
      if (method === "GET") return { status: 200, body: one };
      if (method === "PATCH") {
        for (const [key, value] of Object.entries(body.changes)) KEYS[key]?.(one, value);
        return db.changed(one, "machine.changed", `Changed ${Object.keys(body.changes).join(", ")}`);
      }
      db.machines = db.machines.filter((other) => other !== one);
      db.trash.unshift({ id: one.id, name: one.name, deleted_at: new Date().toISOString(), size: one.disks[0].used, folder: one.folder, machine: one });
      db.tell("machine.removed", { machine: one.id });
      return { status: 200, body: db.trash[0] };
    case "rename":
      if (db.machines.some((other) => other !== one && other.name.toLowerCase() === body.name.toLowerCase())) {
        return error(409, "name-taken", `There is a machine “${body.name}” already.`, "Choose another name.");
      }
      one.name = body.name;
      return db.changed(one);
    case "start":
      if (one.state === "broken") return error(409, "disk-locked", one.state_reason ?? "Its disk is in use.", "Close that program, then try again.");
      one.disposable = Boolean(body.disposable);
      one.suspended_at = null;
      return db.state(one, "running", one.disposable ? "Started; its changes are forgotten" : "Started");
    case "stop":
      if (body.force) return db.state(one, "stopped", "Forced off");
      setTimeout(() => one.state === "stopping" && db.state(one, "stopped", "Shut down by the guest"), 1200);
      return db.state(one, "stopping");
    case "pause":
      return db.state(one, "paused", "Paused");
    case "resume":
      return db.state(one, "running", "Resumed");
    case "reset":
      return db.changed(one, "machine.state", "Reset");
    case "command":
      return { status: 200, body: { argv: ["qemu-system-x86_64"], shell: "qemu-system-x86_64 -nodefaults" } };
    case "logs":
      return { status: 200, body: { backend: one.state === "broken" ? 'qemu-system-x86_64: -blockdev node-name=disk0: Failed to get "write" lock\nIs another process using the image?' : "", serial: "" } };
    case "medium":
      one.medium = method === "DELETE" ? null : { path: body.path, name: body.path.split("/").pop(), missing: false };
      return db.changed(one);
    case "ports":
      if (method === "POST") {
        const port = { ...body, host: body.host || 40000 + db.next++ };
        one.ports = [...one.ports, port];
        db.changed(one);
        return { status: 200, body: port };
      }
      one.ports = one.ports.filter((port) => String(port.host) !== query.get("host"));
      db.changed(one);
      return { status: 204 };
    case "snapshots":
      return snapshotRoute(db, method, one, rest.slice(1), body, query);
    case "disks":
      return diskRoute(db, method, one, rest.slice(1), body, query);
    case "export":
    case "backup":
      return carryRoute(db, verb, one, body, query);
    case "clone":
      return cloneMachine(db, one, body);
    case "suspend":
      one.suspended_at = new Date().toISOString();
      return db.state(one, "suspended", "State saved");
    case "discard-state":
      one.suspended_at = null;
      return db.state(one, "stopped", "Saved state discarded");
    case "keep-changes":
      one.disposable = false;
      return db.changed(one, "machine.changed", "The changes of this run are kept");
    case "tidy":
      return { status: 200, body: db.job("tidy", `Tidy “${one.name}”`, one) };
    default:
      return error(404, "not-found", "There is no such thing.");
  }
}

function wave(seed, base, swing) {
  const t = Date.now() / 1000;
  return Math.max(0, base + swing * (Math.sin(t / 3 + seed) * 0.5 + Math.sin(t * 1.7 + seed * 2) * 0.3 + Math.sin(t * 5.3) * 0.2));
}

function stats(db) {
  const used = db.machines.filter((one) => ["running", "paused"].includes(one.state)).slice(0, 50);
  return {
    host: { cpu: 3.1, cpus: HOST.cpus, memory: HOST.memory, memory_free: HOST.memory_free, disk_free: HOST.disk_free },
    machines: used.map((one, i) => ({ id: one.id, cpu: wave(i, 0.92, 0.5), memory_resident: one.memory * 0.39 + wave(i, 0, 4e7), disk_read_bps: wave(i, 3.1e7, 2.2e7), disk_write_bps: wave(i + 2, 9e6, 8e6), net_rx_bps: wave(i, 1.4e6, 1e6), net_tx_bps: wave(i, 4e5, 3e5) })),
  };
}

function route(db, method, path, body, query) {
  const [kind, id, ...rest] = path.split("/").slice(2).map(decodeURIComponent);
  switch (kind) {
    case "service":
      return { status: 200, body: { version: "0.1.0", api: 1, pid: 1, data_dir: "/home/builder/.local/share/nestbox", started_at: new Date().toISOString(), listen: null } };
    case "doctor":
      return { status: 200, body: doctor(db.scenario === "empty-noaccel" || db.scenario === "noaccel" ? "none" : "kvm") };
    case "templates":
      return { status: 200, body: { templates: TEMPLATES } };
    case "stats":
      return { status: 200, body: stats(db) };
    case "jobs":
      return { status: 200, body: { jobs: db.jobs } };
    case "activity":
      return { status: 200, body: { entries: db.activity } };
    case "trash":
      if (id) {
        const entry = db.trash.find((one) => one.id === id);
        db.trash = db.trash.filter((one) => one !== entry);
        db.machines.push(entry.machine);
        db.tell("machine.added", { machine: id, machine_now: entry.machine });
        return { status: 200, body: entry.machine };
      }
      if (method === "DELETE") {
        const removed = db.trash;
        const disks = binned(db);
        if (!query.get("dry_run")) {
          db.trash = [];
          emptyBins(db);
          db.tell("trash.changed");
        }
        const freed = [...removed.map((one) => one.size), ...disks.map((each) => each.bytes)].reduce((sum, size) => sum + size, 0);
        return { status: 200, body: { removed, disks, freed } };
      }
      return { status: 200, body: { entries: db.trash } };
    case "space":
      return { status: 200, body: space(db.machines, db.snapshots, db.trash, db.downloads, binned(db)) };
    case "cache": {
      const freed = db.downloads.reduce((sum, [, size]) => sum + size * 1024 ** 2, 0);
      db.downloads = [];
      db.tell("cache.changed");
      return { status: 200, body: { removed: [], freed } };
    }
    case "restore-backup":
      return restoreBackup(db, body, query, machine);
    case "import": {
      if (id) return importPlan(body.path);
      const made = machine(body.name, "stopped");
      db.machines.push(made);
      db.tell("machine.added", { machine: made.id, machine_now: made });
      return { status: 200, body: { job: db.job("import", `Import “${made.name}”`, made), machine: made } };
    }
    case "snapshots":
      return takeTogether(db, body);
    case "config":
      if (id && method === "PUT") {
        db.config[id] = body.value;
        db.tell("config.changed");
      }
      if (id && method === "DELETE") {
        delete db.config[id];
        db.tell("config.changed");
        return { status: 204, body: null };
      }
      return { status: 200, body: id ? { value: db.config[id] } : { config: db.config } };
    case "machines": {
      if (!id) return { status: 200, body: { machines: db.machines } };
      const one = db.find(id);
      return one ? machineRoute(db, method, one, rest, body, query) : error(404, "machine-not-found", "There is no such machine.");
    }
    default:
      return error(404, "not-found", "There is no such thing.");
  }
}

/** One unmasked text frame (RFC 6455). */
function sendText(socket, text) {
  const data = Buffer.from(text);
  const head = data.length < 126 ? Buffer.from([0x81, data.length]) : data.length < 65536 ? Buffer.from([0x81, 126, data.length >> 8, data.length & 255]) : Buffer.from([0x81, 127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((s) => (data.length >>> s) & 255)]);
  socket.write(Buffer.concat([head, data]));
}

export function fixtureServer() {
  const libraries = new Map();
  const scenarioOf = (req) => {
    const own = new URL(req.url, "http://x").searchParams.get("scenario");
    const page = req.headers.cookie?.match(/scenario=([\w-]+)/)?.[1];
    return own ?? page ?? "library";
  };
  const dbOf = (req) => {
    const name = scenarioOf(req);
    if (!libraries.has(name)) libraries.set(name, new Fixtures(name.startsWith("empty") ? name : name));
    return libraries.get(name);
  };
  const install = (server) => {
      server.httpServer?.on("upgrade", (req, socket) => {
        if (!req.url.startsWith("/v1/events")) return;
        const accept = createHash("sha1").update(`${req.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
        socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
        const db = dbOf(req);
        db.sockets.add(socket);
        const drop = () => db.sockets.delete(socket);
        socket.on("close", drop);
        socket.on("error", drop);
        socket.on("end", () => socket.end());
      });
      server.middlewares.use(async (req, res, next) => {
        const url = new URL(req.url, "http://x");
        if (url.pathname === "/" && url.searchParams.has("scenario")) {
          const name = url.searchParams.get("scenario");
          res.setHeader("set-cookie", `scenario=${name}; Path=/`);
          if (url.searchParams.has("fresh")) libraries.delete(name);
        }
        if (!url.pathname.startsWith("/v1/")) return next();
        const db = dbOf(req);
        const parts = url.pathname.split("/").map(decodeURIComponent);
        const one = parts[2] === "machines" ? db.find(parts[3]) : undefined;
        if (one && (url.pathname.endsWith("/thumbnail") || url.pathname.endsWith("/screenshot"))) {
          if (parts[4] === "snapshots") {
            const shot = db.snapshots[one.id]?.snapshots.find((s) => s.id === parts[5]);
            return picture(res, scene(shot?.scene ?? "bios"));
          }
          if (one.name === "Arch scratch") return json(res, 404, error(404, "no-picture", "There is no picture yet.").body);
          return picture(res, scene(sceneOf(one.name), (db.tick += 0.02) | 0));
        }
        let text = "";
        for await (const chunk of req) text += chunk;
        try {
          const { status, body } = route(db, req.method, url.pathname, text ? JSON.parse(text) : {}, url.searchParams);
          json(res, status, body);
        } catch (failure) {
          json(res, 500, error(500, "fixture-failed", String(failure?.stack ?? failure)).body);
        }
      });
  };
  return { name: "nestbox-fixtures", configureServer: install, configurePreviewServer: install };
}
