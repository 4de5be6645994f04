/** Where the window is: kept in the address' hash, so that Back, reload and links work in a browser too. */
import { useSyncExternalStore } from "react";

export type Section = "activity" | "doctor" | "settings" | "space" | "trash";
export type MachineView = "machine" | "display" | "edit" | "disks" | "files";
export type Route =
  | { page: "home" }
  | { page: Section }
  | { page: MachineView; machine: string; tab?: string };

const SECTIONS = new Set<string>(["activity", "doctor", "settings", "space", "trash"]);

export function parseRoute(hash: string): Route {
  const parts = hash.replace(/^#?\/?/, "").split("/").map(decodeURIComponent);
  const [first = "", machine, view, tab] = parts;
  if (SECTIONS.has(first)) return { page: first as Section };
  if (first === "machines" && machine) {
    if (view === "disks") return { page: "disks", machine };
    if (view === "files" && tab) return { page: "files", machine, tab };
    if (view === "display") return { page: "display", machine };
    if (view === "edit") return tab ? { page: "edit", machine, tab } : { page: "edit", machine };
    return { page: "machine", machine };
  }
  return { page: "home" };
}

export function routeHref(route: Route): string {
  if (route.page === "home") return "#/";
  if (!("machine" in route)) return `#/${route.page}`;
  const base = `#/machines/${encodeURIComponent(route.machine)}`;
  if (route.page === "machine") return base;
  return `${base}/${route.page}${route.tab ? `/${encodeURIComponent(route.tab)}` : ""}`;
}

let current = parseRoute(window.location.hash);
const listeners = new Set<() => void>();
window.addEventListener("hashchange", () => {
  current = parseRoute(window.location.hash);
  for (const listener of listeners) listener();
});

export const currentRoute = (): Route => current;

/** Goes to another page. `replace` leaves no step to go back to. */
export function navigate(route: Route, replace = false): void {
  const href = routeHref(route);
  if (href === routeHref(current)) return;
  if (replace) window.history.replaceState(null, "", href);
  else window.history.pushState(null, "", href);
  current = route;
  for (const listener of listeners) listener();
}

export const useRoute = (): Route =>
  useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, currentRoute);
