/** The files of one import and what the user chose for each. Pure. */
import { GIB } from "../../data/format";
import type { Arch, BackupInfo, ErrorInfo, FileAction, Firmware, ImportPlan, ImportRequest, Machine } from "../../data/types";
import { freeName, nameProblem } from "../newvm/draft";
import { possibleActions } from "./possible";

export interface Choice {
  name: string;
  arch: Arch;
  firmware: Firmware;
  cpus: number;
  /** GB. */
  memory: number;
  /** GB; for an installer's blank disk. */
  disk: number;
  action: FileAction;
  start: boolean;
}

export type Item = { path: string; file: string } & (
  | { state: "reading" }
  | { state: "refused"; error: ErrorInfo }
  | { state: "backup"; info: BackupInfo; name: string; failure: ErrorInfo | null }
  | { state: "ready"; plan: ImportPlan; choice: Choice; failure: ErrorInfo | null }
);

export type ReadyItem = Extract<Item, { state: "ready" }>;

export type BackupItem = Extract<Item, { state: "backup" }>;

export type Action =
  | { type: "add"; paths: string[] }
  | { type: "remove"; path: string }
  | { type: "planned"; plan: ImportPlan; path: string; machines: Machine[] }
  | { type: "refused"; path: string; error: ErrorInfo }
  | { type: "backup"; path: string; info: BackupInfo; machines: Machine[] }
  | { type: "name"; path: string; name: string }
  | { type: "choose"; path: string; choice: Partial<Choice> }
  | { type: "failed"; path: string; error: ErrorInfo };

export const fileName = (path: string): string => path.split(/[\\/]/).filter(Boolean).pop() ?? path;

export const isReady = (item: Item): item is ReadyItem => item.state === "ready";
/** A whole machine that Nestbox wrote itself. */
export const isBackup = (item: Item): item is BackupItem => item.state === "backup";
/** Also one that is compressed. */
export const isIso = (item: ReadyItem): boolean => (item.plan.inside ?? item.plan.recognised) === "iso";

/** Names that the items give their machines. */
const namesOf = (items: Item[]): { name: string }[] =>
  items.flatMap((item) => (isReady(item) ? [item.choice] : isBackup(item) ? [{ name: item.name }] : []));

const newItem = (path: string): Item => ({ path, file: fileName(path), state: "reading" });

export const startItems = (paths: string[]): Item[] => [...new Set(paths)].map(newItem);

function choiceOf(plan: ImportPlan, name: string): Choice {
  return {
    name,
    arch: plan.arch,
    firmware: plan.firmware,
    cpus: plan.cpus,
    memory: Math.max(0.5, Math.round((plan.memory / GIB) * 2) / 2),
    disk: Math.max(1, Math.ceil(plan.disk / GIB)),
    action: "copy",
    start: false,
  };
}

/** A new plan (another architecture was chosen) keeps what the user set himself: the name, the action, the start. */
function planned(item: Item, plan: ImportPlan, others: { name: string }[]): Item {
  const old = isReady(item) ? item.choice : null;
  const fresh = choiceOf(plan, old?.name ?? freeName(plan.name, others));
  return {
    path: item.path,
    file: item.file,
    state: "ready",
    plan,
    failure: null,
    choice: old ? { ...fresh, action: old.action, start: old.start } : fresh,
  };
}

export function reduceItems(items: Item[], action: Action): Item[] {
  switch (action.type) {
    case "add": {
      const known = new Set(items.map((item) => item.path));
      return [...items, ...startItems(action.paths).filter((item) => !known.has(item.path))];
    }
    case "remove":
      return items.filter((item) => item.path !== action.path);
    case "planned": {
      const others = namesOf(items.filter((item) => item.path !== action.path));
      return items.map((item) =>
        item.path === action.path ? planned(item, action.plan, [...action.machines, ...others]) : item,
      );
    }
    case "backup": {
      const others = namesOf(items.filter((item) => item.path !== action.path));
      const name = freeName(action.info.name, [...action.machines, ...others]);
      return items.map((item) =>
        item.path === action.path
          ? { path: item.path, file: item.file, state: "backup", info: action.info, name, failure: null }
          : item,
      );
    }
    case "name":
      return items.map((item) =>
        item.path === action.path && isBackup(item) ? { ...item, name: action.name, failure: null } : item,
      );
    case "refused":
      return items.map((item) =>
        item.path === action.path ? { path: item.path, file: item.file, state: "refused", error: action.error } : item,
      );
    case "choose":
      return items.map((item) =>
        item.path === action.path && isReady(item)
          ? { ...item, choice: { ...item.choice, ...action.choice }, failure: null }
          : item,
      );
    case "failed":
      return items.map((item) =>
        item.path === action.path && (isReady(item) || isBackup(item)) ? { ...item, failure: action.error } : item,
      );
  }
}

/** Why an item's name can't be used: by the service's rules, or because another item has it. */
export function problemOf(item: ReadyItem | BackupItem, items: Item[], machines: Pick<Machine, "name">[]) {
  const others = namesOf(items.filter((other) => other.path !== item.path));
  return nameProblem(isBackup(item) ? item.name : item.choice.name, [...machines, ...others]);
}

/** Bytes that copying everything takes, and how many originals would leave their folders. */
export function totals(items: (ReadyItem | BackupItem)[]): { copy: number; moved: number } {
  const disks = items.filter(isReady).filter((item) => !isIso(item));
  const restored = items.filter(isBackup).reduce((sum, item) => sum + item.info.bytes, 0);
  return {
    copy: disks
      .filter((item) => item.choice.action === "copy")
      .reduce((sum, item) => sum + item.plan.needs, restored),
    moved: disks.filter((item) => item.choice.action === "move").length,
  };
}

export function toImportRequest(item: ReadyItem): ImportRequest {
  const { choice } = item;
  // Another architecture may have made another plan.
  const action = possibleActions(item.plan)[choice.action] === null ? choice.action : "copy";
  return {
    path: item.plan.path,
    name: choice.name.trim(),
    arch: choice.arch,
    firmware: choice.firmware,
    cpus: choice.cpus,
    memory: Math.round(choice.memory * GIB),
    // Only an installer gets a new disk; an image's own capacity is not rounded.
    ...(isIso(item) ? { disk: Math.round(choice.disk * GIB) } : { action }),
    start: choice.start,
  };
}
