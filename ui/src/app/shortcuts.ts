/** The keyboard map. In a display every key is the guest's; sheets have their own keys. */
import { useEffect, useMemo, useRef } from "react";
import { undoLatest } from "../components";
import type { Machine } from "../data";
import { useMachines } from "../data";
import { treeRows, NO_FILTER } from "../features/library/tree-model";
import { type MachineActions, useMachineActions } from "../features/machine/use-actions";
import { hasMod } from "./keys";
import { useCurrentMachine } from "./main-page";
import { currentRoute, navigate } from "./navigation";
import { closeInspectorOverlay, isNarrow, openSheet, setInspector, uiState } from "./ui-state";

interface Context {
  machine: Machine | undefined;
  machines: Machine[];
  actions: MachineActions;
}

const inText = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || target.matches("input:not([type=range]), textarea, select, [role=combobox]"));

const onControl = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.closest("button, a, input, summary, [role=treeitem], [role=menu]") !== null;

function toggleInspector(): void {
  const { inspector, inspectorOverlay } = uiState();
  setInspector(!(isNarrow() ? inspectorOverlay : inspector));
}

/** The search field; the palette finds machines where the sidebar is a rail without one. */
function findMachine(): void {
  const field = document.querySelector<HTMLInputElement>(".sidebar-search input");
  if (field?.checkVisibility()) field.focus();
  else openSheet({ kind: "palette" });
}

/** Ctrl or Command with a key; true when it was one of ours. */
function withMod(event: KeyboardEvent, { machine, machines, actions }: Context): boolean {
  const key = event.key.toLowerCase();
  if (event.shiftKey) {
    if (key !== "s" || !machine) return false;
    toggleInspector();
    return true;
  }
  if (/^[1-9]$/.test(key)) {
    const rows = treeRows(machines, NO_FILTER, new Set()).filter((row) => row.kind === "machine");
    const chosen = rows[Number(key) - 1];
    if (chosen) navigate({ page: "machine", machine: chosen.key });
    return true;
  }
  switch (key) {
    case "k":
      openSheet({ kind: "palette" });
      return true;
    case "n":
      openSheet({ kind: "new-vm" });
      return true;
    case "f":
      findMachine();
      return true;
    case ",":
      navigate({ page: "settings" });
      return true;
    case "?":
    case "/":
      openSheet({ kind: "shortcuts" });
      return true;
    case "z":
      return !inText(event.target) && undoLatest();
    case "e":
      if (machine) navigate({ page: "edit", machine: machine.id });
      return true;
    case "s":
      if (machine) void actions.takeSnapshot(machine);
      return true;
    case "enter":
      if (machine) navigate({ page: "display", machine: machine.id });
      return true;
    default:
      return false;
  }
}

const PANES = ["sidebar", "main", "inspector"];

/** F6: the next pane's tab stop. */
function nextPane(back: boolean): void {
  const panes = PANES.map((name) => document.querySelector<HTMLElement>(`[data-pane="${name}"]`)).filter(
    (pane): pane is HTMLElement => pane !== null,
  );
  const at = panes.findIndex((pane) => pane.contains(document.activeElement));
  const pane = panes[(at + (back ? -1 : 1) + panes.length) % panes.length];
  const stop =
    pane?.querySelector<HTMLElement>("[role=treeitem][tabindex='0'], [role=tab][tabindex='0']") ??
    pane?.querySelector<HTMLElement>("button, a[href], input") ??
    pane;
  stop?.focus();
}

/** Keys without Ctrl or Command; true when it was one of ours. */
function plain(event: KeyboardEvent, { machine, actions }: Context): boolean {
  if (event.key === "F6") {
    nextPane(event.shiftKey);
    return true;
  }
  if (inText(event.target)) return false;
  if (event.key === "?") {
    openSheet({ kind: "shortcuts" });
    return true;
  }
  if (event.key === "Escape") {
    if (uiState().inspectorOverlay) closeInspectorOverlay();
    else {
      const route = currentRoute();
      if (route.page === "edit" || route.page === "disks") navigate({ page: "machine", machine: route.machine });
      else if (route.page === "files") navigate({ page: "disks", machine: route.machine });
    }
    return true;
  }
  if (!machine || currentRoute().page !== "machine") return false;
  if (event.key === "F2") {
    openSheet({ kind: "rename", machine: machine.id });
    return true;
  }
  if (event.key === "Delete" || (event.key === "Backspace" && event.metaKey)) {
    if (["stopped", "suspended", "broken"].includes(machine.state)) actions.trash(machine);
    return true;
  }
  const onTreeItem = event.target instanceof HTMLElement && event.target.matches(".machine-tree [role=treeitem]");
  if (event.key === " " && (onTreeItem || !onControl(event.target))) {
    actions.toggle(machine);
    return true;
  }
  return false;
}

/** Listens for as long as the window is there. */
export function useShortcuts(): void {
  const machine = useCurrentMachine();
  const { data } = useMachines();
  const actions = useMachineActions();
  const context = useMemo<Context>(() => ({ machine, machines: data ?? [], actions }), [machine, data, actions]);
  const latest = useRef(context);
  useEffect(() => {
    latest.current = context;
  }, [context]);
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing || event.altKey) return;
      if (uiState().sheet !== null) {
        if (hasMod(event) && event.key.toLowerCase() === "k") event.preventDefault();
        return;
      }
      const target = event.target as HTMLElement | null;
      if (target?.closest?.("[role=application], [role=menu]")) return;
      const done = hasMod(event) ? withMod(event, latest.current) : plain(event, latest.current);
      if (done) event.preventDefault();
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, []);
}
