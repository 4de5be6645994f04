/** What is special about a snapshot: a small mark and a few words for each thing. Pure. */
import { CalendarClock, Copy, GitBranch, Layers, Link2, type LucideIcon, Pin, Power, Undo2, Zap } from "lucide-react";
import { formatBytes, type Snapshot } from "../../data";
import { formatList, type MessageKey, t } from "../../i18n";
import type { LaneRow } from "./lanes";

export interface Mark {
  id: "kind" | "memory" | "needed" | "group" | "keep" | "branch";
  icon: LucideIcon;
  words: string;
}

const KINDS: Record<Exclude<Snapshot["kind"], "user">, [LucideIcon, MessageKey]> = {
  "before-restore": [Undo2, "snapshots.auto"],
  scheduled: [CalendarClock, "snapshots.scheduled"],
  "before-start": [Power, "snapshots.beforeStart"],
  "for-clone": [Copy, "snapshots.forClone"],
};

/** Names of other machines listed; more are counted. */
const NAMES = 2;

function togetherWords(names: string[]): string {
  if (names.length === 0) return t("snapshots.togetherUnknown");
  if (names.length > NAMES) return t("snapshots.togetherMany", { count: names.length });
  return t("snapshots.together", { names: formatList(names) });
}

/** The marks of a row, the most telling one first. `together`: names of the other machines of its group, when known. */
export function marksOf(row: LaneRow, snapshot: Snapshot, together: string[] = []): Mark[] {
  const marks: Mark[] = [];
  if (snapshot.kind !== "user") {
    const [icon, words] = KINDS[snapshot.kind];
    marks.push({ id: "kind", icon, words: t(words) });
  }
  if (snapshot.memory) {
    const words = t(snapshot.paused ? "snapshots.livePaused" : "snapshots.live");
    marks.push({ id: "memory", icon: Zap, words });
  }
  if (snapshot.needed_by.length > 0) {
    marks.push({ id: "needed", icon: Link2, words: t("snapshots.neededBy", { names: formatList(snapshot.needed_by) }) });
  }
  if (snapshot.group !== null) marks.push({ id: "group", icon: Layers, words: togetherWords(together) });
  if (snapshot.keep) marks.push({ id: "keep", icon: Pin, words: t("snapshots.keepMark") });
  if (marks.length === 0 && row.lane > 0) marks.push({ id: "branch", icon: GitBranch, words: t("snapshots.branch") });
  return marks;
}

/** Size in words; with memory, both parts. */
export function sizeWords(snapshot: Snapshot): string {
  if (snapshot.memory_size === 0) return formatBytes(snapshot.size);
  return t(snapshot.memory_packed ? "snapshots.sizesPacked" : "snapshots.sizes", {
    disk: formatBytes(Math.max(0, snapshot.size - snapshot.memory_size)),
    memory: formatBytes(snapshot.memory_size),
  });
}
