/** The space report by machine, what takes most first. Pure. */
import type { SpaceItem, SpaceReport } from "../../data/types";

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
    const group = groups.get(item.machine) ?? { machine: item.machine, name: item.machine_name, bytes: 0, items: [] };
    group.bytes += item.bytes;
    group.items.push(item);
    groups.set(item.machine, group);
  }
  for (const group of groups.values()) group.items.sort((a, b) => b.bytes - a.bytes);
  return [...groups.values()].sort((a, b) => b.bytes - a.bytes);
}

/** Bytes that the actions would free together. */
export const freeableOf = ({ items }: SpaceReport): number =>
  items.reduce((sum, item) => sum + (item.action === null ? 0 : item.freeable), 0);
