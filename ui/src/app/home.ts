/** Which machine a window without an address shows. */
import type { Machine } from "../data";
import { platform } from "../platform";
import { currentRoute, navigate, type Route } from "./navigation";

const LAST_KEY = "nestbox.machine";

function lastMachine(): string | null {
  try {
    return localStorage.getItem(LAST_KEY);
  } catch {
    return null;
  }
}

/** Shown first at the next start. */
export function rememberMachine(machine: Machine): void {
  try {
    localStorage.setItem(LAST_KEY, machine.id);
  } catch {
    // Not remembered, then.
  }
}

/** With machines there is always one selected: the one the program was started for, the last one, the first. */
function homeRoute(machines: readonly Machine[]): Route {
  const wanted = platform.facts.machine;
  const asked = wanted ? machines.find((one) => one.id === wanted || one.name === wanted) : undefined;
  const last = lastMachine();
  const pick = asked ?? machines.find((one) => one.id === last) ?? machines[0];
  return pick ? { page: "machine", machine: pick.id } : { page: "home" };
}

/** Whether `route` shows none of the machines and should be another one. */
function leadsNowhere(route: Route, machines: readonly Machine[]): boolean {
  if (route.page === "home") return machines.length > 0;
  return "machine" in route && !machines.some((one) => one.id === route.machine);
}

/** Goes to a machine where the address leads to none that is there. */
export function goHome(machines: readonly Machine[]): void {
  if (leadsNowhere(currentRoute(), machines)) navigate(homeRoute(machines), true);
}
