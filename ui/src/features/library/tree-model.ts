/** The machines tree as a flat list of visible rows: groups by first tag, folded groups hide theirs. Pure. */
import type { Machine } from "../../data";
import { language } from "../../i18n";

export interface Filter {
  search: string;
  state: "all" | "running";
  tag: string | null;
}

export const NO_FILTER: Filter = { search: "", state: "all", tag: null };

export interface GroupRow {
  kind: "group";
  key: string;
  /** The tag, or null for machines without one. */
  tag: string | null;
  count: number;
  open: boolean;
  position: number;
  size: number;
}

export interface MachineRow {
  kind: "machine";
  key: string;
  machine: Machine;
  group: string;
  position: number;
  size: number;
}

export type Row = GroupRow | MachineRow;

const RUNNING = new Set(["running", "paused", "starting", "stopping"]);

export const isActive = (machine: Machine): boolean => RUNNING.has(machine.state);

const folded = (text: string): string => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();

/** Every word of the search is in the name, the system, the architecture, a tag or the notes. */
export function matches(machine: Machine, search: string): boolean {
  const words = folded(search).split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const text = folded([machine.name, machine.system ?? "", machine.arch, ...machine.tags, machine.notes].join("\n"));
  return words.every((word) => text.includes(word));
}

export function filterMachines(machines: Machine[], filter: Filter): Machine[] {
  const tag = filter.tag?.toLocaleLowerCase();
  return machines.filter(
    (machine) =>
      (filter.state === "all" || machine.state === "running") &&
      (tag === undefined || machine.tags.some((one) => one.toLocaleLowerCase() === tag)) &&
      matches(machine, filter.search),
  );
}

/** As people sort in the window's language; the system's locale may be “C”, which puts capitals first. */
const inOrder = new Intl.Collator(language(), { numeric: true }).compare;

/** All tags, alphabetically, each once. */
export function allTags(machines: Machine[]): string[] {
  const tags = new Map<string, string>();
  for (const tag of machines.flatMap((machine) => machine.tags)) {
    const key = tag.toLocaleLowerCase();
    if (!tags.has(key)) tags.set(key, tag);
  }
  return [...tags.values()].sort(inOrder);
}

const byName = (a: Machine, b: Machine): number => inOrder(a.name, b.name);

const UNTAGGED = "";

/** Rows to draw. A search opens every group: what matches must be seen. */
export function treeRows(machines: Machine[], filter: Filter, closed: ReadonlySet<string>): Row[] {
  const groups = new Map<string, { tag: string | null; machines: Machine[] }>();
  for (const machine of filterMachines(machines, filter)) {
    const tag = machine.tags[0] ?? null;
    const key = tag?.toLocaleLowerCase() ?? UNTAGGED;
    const group = groups.get(key);
    if (group) group.machines.push(machine);
    else groups.set(key, { tag, machines: [machine] });
  }
  const order = [...groups.entries()].sort(([a], [b]) => {
    if (a === UNTAGGED || b === UNTAGGED) return a === b ? 0 : a === UNTAGGED ? 1 : -1;
    return inOrder(a, b);
  });
  const searching = filter.search.trim() !== "";
  const rows: Row[] = [];
  order.forEach(([key, group], index) => {
    const open = searching || !closed.has(key);
    rows.push({
      kind: "group",
      key: `group:${key}`,
      tag: group.tag,
      count: group.machines.length,
      open,
      position: index + 1,
      size: order.length,
    });
    if (!open) return;
    group.machines.sort(byName).forEach((machine, at) => {
      rows.push({
        kind: "machine",
        key: machine.id,
        machine,
        group: key,
        position: at + 1,
        size: group.machines.length,
      });
    });
  });
  return rows;
}

/** Where a key takes the focus; null when the key is not one of a tree's. */
export function moveFocus(rows: Row[], from: number, key: string): number | null {
  const last = rows.length - 1;
  if (last < 0) return null;
  switch (key) {
    case "ArrowDown":
      return Math.min(last, from + 1);
    case "ArrowUp":
      return Math.max(0, from - 1);
    case "PageDown":
      return Math.min(last, from + 10);
    case "PageUp":
      return Math.max(0, from - 10);
    case "Home":
      return 0;
    case "End":
      return last;
    default:
      return null;
  }
}

/** The row type-ahead goes to: the next one, after `from`, whose name starts with `text`. */
export function typeAhead(rows: Row[], from: number, text: string): number | null {
  const wanted = folded(text);
  for (let step = text.length === 1 ? 1 : 0; step <= rows.length; step += 1) {
    const at = (from + step) % rows.length;
    const row = rows[at];
    const name = row?.kind === "machine" ? row.machine.name : (row?.tag ?? "");
    if (row && folded(name).startsWith(wanted)) return at;
  }
  return null;
}
