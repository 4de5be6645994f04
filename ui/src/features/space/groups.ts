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
    // A deleted machine is the trash's, not a machine.
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

export type Offered = Exclude<SpaceAction, "prune-cache">;

/** The action that is offered; there is no request that clears downloads. */
export const offeredOf = ({ action }: SpaceItem): Offered | null => (action === "prune-cache" ? null : action);

/** Bytes that the actions would free together, at most. */
export const freeableOf = ({ items }: SpaceReport): number =>
  items.reduce((sum, item) => sum + (offeredOf(item) === null ? 0 : item.freeable), 0);

/** Why it stays, or why less is freed; what would be lost is said when it is asked for. */
export const noteOf = (item: SpaceItem): string | null =>
  offeredOf(item) === null || item.action === "tidy" ? item.note : null;
