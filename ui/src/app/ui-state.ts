/** What is open over and beside the page: one sheet at a time, the inspector, the tree's folds. */
import { useSyncExternalStore } from "react";
import type { Arch } from "../data";

export type SheetState =
  | { kind: "new-vm"; template?: string; arch?: Arch }
  | { kind: "import"; paths: string[] }
  | { kind: "palette" }
  | { kind: "shortcuts" }
  | { kind: "take-snapshot"; machine: string }
  | { kind: "snapshot-notes"; machine: string; snapshot: string }
  | { kind: "delete-subtree"; machine: string; snapshot: string }
  | { kind: "compare"; machine: string; from?: string }
  | { kind: "clone"; machine: string; snapshot?: string }
  | { kind: "together"; machines?: string[]; tag?: string }
  | { kind: "add-disk"; machine: string }
  | { kind: "grow-disk" | "move-disk"; machine: string; disk: string }
  | { kind: "export"; machine: string; disk?: string; snapshot?: string }
  | { kind: "backup"; machine: string }
  | { kind: "restore-backup"; file?: string }
  | { kind: "discard-state"; machine: string }
  | { kind: "rename"; machine: string }
  | { kind: "tags"; machine: string }
  | { kind: "force-off"; machine: string };

interface UiState {
  sheet: SheetState | null;
  /** Wish of the user for the snapshots pane, kept between runs. */
  inspector: boolean;
  /** The pane is shown as an overlay (narrow windows): never kept. */
  inspectorOverlay: boolean;
}

const INSPECTOR_KEY = "nestbox.inspector";
const stored = (): boolean => {
  try {
    return localStorage.getItem(INSPECTOR_KEY) !== "closed";
  } catch {
    return true;
  }
};

let state: UiState = { sheet: null, inspector: stored(), inspectorOverlay: false };
const listeners = new Set<() => void>();

function set(change: Partial<UiState>): void {
  state = { ...state, ...change };
  for (const listener of listeners) listener();
}

export const uiState = (): UiState => state;

export function useUiState<T>(select: (state: UiState) => T): T {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => select(state),
  );
}

export const openSheet = (sheet: SheetState): void => set({ sheet });
export const closeSheet = (): void => set({ sheet: null });

/** Narrower than this the inspector lies over the page. */
export const OVERLAY_BELOW = 1120;
export const isNarrow = (): boolean => window.innerWidth < OVERLAY_BELOW;

export function setInspector(open: boolean): void {
  if (isNarrow()) {
    set({ inspectorOverlay: open });
    return;
  }
  try {
    localStorage.setItem(INSPECTOR_KEY, open ? "open" : "closed");
  } catch {
    // Private windows have no storage: the wish lasts until the window closes.
  }
  set({ inspector: open });
}

export const closeInspectorOverlay = (): void => {
  if (state.inspectorOverlay) set({ inspectorOverlay: false });
};
