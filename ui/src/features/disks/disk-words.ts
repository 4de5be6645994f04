/** Words and sums about disks. Pure. */
import { formatBytes, formatDate } from "../../data/format";
import type { Disk, DiskDetails, Machine } from "../../data/types";
import { t } from "../../i18n";

/** What the user calls it, else its place. */
export function diskName(disk: Pick<Disk, "id" | "label" | "number">): string {
  if (disk.label) return disk.label;
  return disk.number > 0 ? t("disks.number", { number: disk.number }) : t("disks.unnumbered", { id: disk.id.slice(0, 6) });
}

export interface Part {
  role: "active" | "snapshots" | "shared";
  bytes: number;
}

/** Where its bytes are; what takes nothing is left out, but the active image is always said. */
export function partsOf(disk: Pick<DiskDetails, "used" | "in_snapshots" | "shared">): Part[] {
  const all: Part[] = [
    { role: "active", bytes: disk.used },
    { role: "snapshots", bytes: disk.in_snapshots },
    { role: "shared", bytes: disk.shared },
  ];
  return all.filter((part) => part.role === "active" || part.bytes > 0);
}

/** The bar is as long as the disk is large; chains can hold more than that. */
export const barTotal = (disk: Pick<DiskDetails, "capacity">, parts: Part[]): number =>
  Math.max(1, disk.capacity, parts.reduce((sum, part) => sum + part.bytes, 0));

/** One line: size, controller, and what is special. */
export function factsOf(disk: DiskDetails): string[] {
  return [
    formatBytes(disk.capacity),
    t(`disks.bus.${disk.bus}`),
    ...(disk.read_only ? [t("disks.readOnly")] : []),
    ...(disk.linked ? [t("disks.linked")] : []),
  ];
}

export interface Groups {
  attached: DiskDetails[];
  detached: DiskDetails[];
  bin: DiskDetails[];
}

export function groupsOf(disks: readonly DiskDetails[]): Groups {
  return {
    attached: disks.filter((disk) => disk.attached).sort((a, b) => a.number - b.number),
    detached: disks.filter((disk) => !disk.attached && disk.removed_at === null),
    bin: disks.filter((disk) => disk.removed_at !== null),
  };
}

export const purgeWords = (disk: Pick<DiskDetails, "purge_at">): string =>
  disk.purge_at ? t("disks.purge", { date: formatDate(disk.purge_at) }) : t("disks.purgeNever");

export type DiskAct = "options" | "order" | "grow" | "images" | "detach" | "move" | "remove";

const OFF = new Set<Machine["state"]>(["stopped", "broken"]);
const LIVE = new Set<Machine["state"]>(["running", "paused"]);

/** Why something can't be done to a disk as the machine is now; null when it can. */
export function whyNot(act: DiskAct, machine: Pick<Machine, "state" | "disposable">, attached: boolean): string | null {
  // Nothing of the guest's is open.
  if (OFF.has(machine.state) || (!attached && act === "images")) return null;
  if (machine.state === "suspended") return t("disks.why.suspended");
  if (!LIVE.has(machine.state)) return t("disks.why.busy");
  if (act === "grow" || act === "detach" || act === "remove") {
    return machine.disposable ? t("disks.why.disposable") : null;
  }
  return t(act === "images" ? "disks.why.images" : "disks.why.running");
}
