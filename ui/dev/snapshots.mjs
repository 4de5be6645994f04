/** Snapshots, clones and what several machines do together, over the fixtures. Never part of the build. */
import { error, ok } from "./answers.mjs";
import { machine, sceneOf, snapshot } from "./fixtures.mjs";

const MIB = 1024 ** 2;
const listOf = (db, one) => (db.snapshots[one.id] ??= { current: null, depth: 1, snapshots: [] });

function take(db, one, body, extra = {}) {
  const list = listOf(db, one);
  const memory = ["running", "paused"].includes(one.state) && body.memory !== false;
  const name = body.name ?? `${new Date().toLocaleString("en-GB", { weekday: "long", hour: "2-digit", minute: "2-digit" })} · 42 MB written`;
  const taken = snapshot(`n${db.next++}`, name, list.current, 0, memory ? 188 : 42, { memory, memory_size: memory ? 146 * MIB : 0, notes: body.notes ?? "", keep: body.keep ?? false, scene: sceneOf(one.name), ...extra });
  list.snapshots.push(taken);
  list.current = one.current_snapshot = taken.id;
  one.snapshots = list.snapshots.length;
  db.tell("snapshot.taken", { machine: one.id });
  db.changed(one, "snapshot.taken", `Snapshot “${taken.name}”`);
  return taken;
}

function restore(db, one, list, chosen, body) {
  if (chosen.id === "w3" && body.memory !== false) {
    return error(409, "memory-unfit", "Its memory was saved with another processor model.", "Restore the disks only: the guest starts from them.");
  }
  let kept = null;
  if (!body.discard) {
    kept = { ...chosen, id: `k${db.next++}`, name: "Before restore", parent: list.current, created_at: new Date().toISOString(), automatic: true, kind: "before-restore", memory: true, size: 188 * MIB, memory_size: 146 * MIB, keep: false, group: null, needed_by: [], scene: sceneOf(one.name) };
    list.snapshots.push(kept);
  }
  list.current = one.current_snapshot = chosen.id;
  const notes = one.name === "Web server" ? ["The hardware is that of the snapshot: 2 processors instead of 4."] : [];
  db.changed(one, "snapshot.restored", `Restored “${chosen.name}”`);
  return ok({ machine: one, kept, notes });
}

/** It and everything that grew from it. */
function subtree(list, root) {
  const found = new Set([root.id]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const other of list.snapshots) {
      if (other.parent && found.has(other.parent) && !found.has(other.id)) {
        found.add(other.id);
        grown = true;
      }
    }
  }
  return list.snapshots.filter((other) => found.has(other.id));
}

function remove(db, one, list, chosen, query) {
  const gone = query.get("subtree") ? subtree(list, chosen) : [chosen];
  const needed = gone.find((other) => other.needed_by.length > 0);
  if (needed) return error(409, "machine-needed", `The snapshot “${needed.name}” can't be removed: the disks of “${needed.needed_by[0]}” stand on it.`, "Delete the clones first and empty the trash.");
  const freed = gone.reduce((sum, other) => sum + other.size, 0);
  if (query.get("dry_run")) return ok({ deleted: gone, freed, job: null });
  const ids = new Set(gone.map((other) => other.id));
  for (const other of list.snapshots) if (ids.has(other.parent)) other.parent = chosen.parent;
  if (ids.has(list.current)) list.current = one.current_snapshot = chosen.parent;
  list.snapshots = list.snapshots.filter((other) => !ids.has(other.id));
  one.snapshots = list.snapshots.length;
  db.tell("snapshot.deleted", { machine: one.id });
  return ok({ deleted: gone, freed, job: null });
}

function compare(one, list, chosen, query) {
  const other = list.snapshots.find((entry) => entry.id === query.get("with"));
  const point = (entry) => (entry ? { id: entry.id, name: entry.name, memory: entry.memory, at: entry.created_at } : { id: null, name: "Now", memory: one.state === "running", at: new Date().toISOString() });
  return ok({
    from: point(chosen),
    to: point(other),
    settings: [
      { key: "cpus", before: "2", after: String(one.cpus) },
      { key: "memory", before: "4 GiB", after: "8 GiB" },
      { key: "ports", before: "2222 → 22", after: "2222 → 22, 8080 → 80" },
    ],
    disks: one.disks.map((disk) => ({ id: disk.id, written: 1433 * MIB })),
    seconds_between: 93_600,
  });
}

/** `/v1/machines/{m}/snapshots…` */
export function snapshotRoute(db, method, one, [id, act], body, query) {
  const list = listOf(db, one);
  if (!id) {
    if (method === "GET") return ok(list);
    return ok({ ...take(db, one, body), paused_seconds: 0.3 });
  }
  const chosen = list.snapshots.find((other) => other.id === id);
  if (!chosen) return error(404, "snapshot-not-found", "There is no such snapshot.");
  if (act === "restore") return restore(db, one, list, chosen, body);
  if (act === "compare") return compare(one, list, chosen, query);
  if (act === "drop-memory") {
    Object.assign(chosen, { memory: false, size: chosen.size - chosen.memory_size, memory_size: 0 });
    db.tell("snapshot.changed", { machine: one.id });
    return ok(chosen);
  }
  if (method === "PATCH") {
    Object.assign(chosen, body);
    db.tell("snapshot.changed", { machine: one.id });
    return ok(chosen);
  }
  return method === "DELETE" ? remove(db, one, list, chosen, query) : ok(chosen);
}

/** `POST /v1/machines/{m}/clone` */
export function cloneMachine(db, one, body) {
  if (db.machines.some((other) => other.name.toLowerCase() === body.name.toLowerCase())) {
    return error(409, "name-taken", `There is a machine “${body.name}” already.`, "Choose another name.");
  }
  const clone = machine(body.name, body.start ? "running" : "stopped", { tags: one.tags, system: one.system, cpus: one.cpus, memory: one.memory, arch: one.arch });
  const from = body.snapshot ?? take(db, one, { name: `For the clone “${body.name}”` }, { kind: "for-clone", automatic: true }).id;
  const origin = listOf(db, one).snapshots.find((other) => other.id === from);
  clone.origin = { machine: one.id, machine_name: one.name, snapshot: from, snapshot_name: origin?.name ?? "", linked: !body.full };
  if (!body.full) {
    one.needed_by = [...one.needed_by, clone.name];
    if (origin) origin.needed_by = [...origin.needed_by, clone.name];
  }
  db.machines.push(clone);
  db.changed(clone, "machine.added", `Cloned from “${one.name}”`);
  db.changed(one);
  return ok({ job: body.full ? db.job("clone", `Clone “${one.name}”`, clone) : null, machine: clone, notes: ["It has a network address and keys of its own.", "The guest’s own name and passwords are those of the original."] });
}

/** `POST /v1/snapshots` */
export function takeTogether(db, body) {
  const group = `g${db.next++}`;
  const machines = body.machines.map((wanted) => db.find(wanted)).filter(Boolean);
  const snapshots = machines.map((one) => ({ machine: one.id, machine_name: one.name, snapshot: take(db, one, body, { group }) }));
  return ok({ group, snapshots, paused_seconds: 0.21 });
}
