/** The space report by machine, what takes most first. Pure. */
import type { SpaceAction, SpaceItem, SpaceReport } from "../../data/types";

export interface SpaceGroup {
  /** Id, or null for what belongs to the library. */
  machine: string | null;
  name: string | null;
  bytes: number;
  items: SpaceItem[];
}

export function groupsOf({ items }: SpaceReport): SpaceGroup[] {
  const groups = new Map<string | null, SpaceGroup>();
  for (const item of items) {
    // A deleted machine or disk is the trash's: one action frees all of it.
    const machine = item.kind === "trash" ? null : item.machine;
    const name = machine === null ? null : item.machine_name;
    const group = groups.get(machine) ?? { machine, name, bytes: 0, items: [] };
    group.bytes += item.bytes;
    group.items.push(item);
    groups.set(machine, group);
  }
  for (const group of groups.values()) group.items.sort((a, b) => b.bytes - a.bytes);
  return [...groups.values()].sort((a, b) => b.bytes - a.bytes);
}

/** Bytes that the actions, or one of them, would free together, at most. */
export const freeableOf = ({ items }: SpaceReport, action?: SpaceAction): number =>
  items
    .filter((item) => (action === undefined ? item.action !== null : item.action === action))
    .reduce((sum, item) => sum + item.freeable, 0);

/** Why it stays, or why less is freed; what would be lost is said when it is asked for. */
export const noteOf = (item: SpaceItem): string | null =>
  item.action === null || item.action === "tidy" ? item.note : null;
