/**
 * Snapshots whose deletion waits for its Undo toast: not shown, and still there. If the window closes first,
 * they stay.
 */
import { useSyncExternalStore } from "react";
import type { Snapshot, SnapshotList } from "../../data";

let hidden: ReadonlySet<string> = new Set();
const listeners = new Set<() => void>();

function set(next: ReadonlySet<string>): void {
  hidden = next;
  for (const listener of listeners) listener();
}

export const hide = (id: string): void => set(new Set([...hidden, id]));
export const show = (id: string): void => set(new Set([...hidden].filter((one) => one !== id)));

export const useHidden = (): ReadonlySet<string> =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => hidden,
  );

/** The list without hidden ones; what grew from them grows from the nearest parent that is left. */
export function withoutHidden(list: SnapshotList, gone: ReadonlySet<string>): SnapshotList {
  if (gone.size === 0) return list;
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
    .map((one): Snapshot => (one.parent && gone.has(one.parent) ? { ...one, parent: living(one.parent) } : one));
  return { current: living(list.current), snapshots };
}
