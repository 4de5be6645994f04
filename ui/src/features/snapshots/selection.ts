/** The snapshot that is open in the sidebar: the tree and the timeline show the same one. */
import { useSyncExternalStore } from "react";

export interface Selection {
  machine: string;
  snapshot: string;
  /** Grows each time something asks for its row to be shown and focused. */
  asked: number;
}

let selection: Selection | null = null;
let asked = 0;
const listeners = new Set<() => void>();

function set(next: Selection | null): void {
  selection = next;
  for (const listener of listeners) listener();
}

/** Opens a snapshot's row, or closes the open one. */
export const select = (machine: string, snapshot: string | null): void =>
  set(snapshot === null ? null : { machine, snapshot, asked: 0 });

/** Opens a snapshot's row, brings it into view and puts the focus there. */
export const reveal = (machine: string, snapshot: string): void => set({ machine, snapshot, asked: (asked += 1) });

/** What is open of a machine. */
export function useSelection(machine: string): Selection | null {
  const found = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => selection,
  );
  return found?.machine === machine ? found : null;
}
