/**
 * Snapshots whose deletion, or whose memory's, waits for its Undo toast: not shown, and still there. If the window
 * closes first, they stay.
 */
import { useMemo, useSyncExternalStore } from "react";
import { type ApiError, type Snapshot, type SnapshotList, useSnapshots } from "../../data";

export interface Hidden {
  snapshots: ReadonlySet<string>;
  /** Snapshots shown as if they had none. */
  memories: ReadonlySet<string>;
}

let hidden: Hidden = { snapshots: new Set(), memories: new Set() };
const listeners = new Set<() => void>();

function set(what: keyof Hidden, next: string[]): void {
  hidden = { ...hidden, [what]: new Set(next) };
  for (const listener of listeners) listener();
}

export const hide = (what: keyof Hidden, id: string): void => set(what, [...hidden[what], id]);
export const show = (what: keyof Hidden, id: string): void => set(what, [...hidden[what]].filter((one) => one !== id));

export const useHidden = (): Hidden =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => hidden,
  );

const withoutMemory = (one: Snapshot): Snapshot => ({
  ...one,
  memory: false,
  size: Math.max(0, one.size - one.memory_size),
  memory_size: 0,
});

/** The list without hidden ones; what grew from them grows from the nearest parent that is left. */
export function withoutHidden(list: SnapshotList, { snapshots: gone, memories }: Hidden): SnapshotList {
  if (gone.size === 0 && memories.size === 0) return list;
  const byId = new Map(list.snapshots.map((one) => [one.id, one]));
  const living = (start: string | null): string | null => {
    const seen = new Set<string>();
    let id = start;
    while (id !== null && gone.has(id) && !seen.has(id)) {
      seen.add(id);
      id = byId.get(id)?.parent ?? null;
    }
    return id;
  };
  const snapshots = list.snapshots
    .filter((one) => !gone.has(one.id))
    .map((one) => (memories.has(one.id) ? withoutMemory(one) : one))
    .map((one): Snapshot => (one.parent && gone.has(one.parent) ? { ...one, parent: living(one.parent) } : one));
  return { ...list, current: living(list.current), snapshots };
}

/** A machine's snapshots as they are shown. */
export function useShownSnapshots(machine: string): { list: SnapshotList | undefined; error: ApiError | null } {
  const { data, error } = useSnapshots(machine);
  const without = useHidden();
  const list = useMemo(() => (data ? withoutHidden(data, without) : undefined), [data, without]);
  return { list, error };
}
