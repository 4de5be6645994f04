/** What needs the user: failed jobs and machines in trouble, less what was dismissed. Pure. */
import type { ActivityEntry, ErrorInfo, Job, Machine } from "../../data/types";
import { daysAgo } from "../../data/format";

export type Need =
  | { id: string; kind: "job"; job: Job; error: ErrorInfo; machine: Machine | undefined }
  | { id: string; kind: "machine"; machine: Machine; error: Pick<ErrorInfo, "code" | "message" | "hint"> };

/** At most so many dismissed ids are kept; older failures have left the service's list by then. */
const DISMISSED_MAX = 200;

/** A short, stable mark of a text: the same trouble dismissed once stays dismissed, a new one shows. */
export function mark(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  return hash.toString(36);
}

export const parseDismissed = (value: unknown): string[] =>
  typeof value === "string" ? value.split(",").filter(Boolean) : [];

export const addDismissed = (value: unknown, id: string): string =>
  [...parseDismissed(value).filter((other) => other !== id), id].slice(-DISMISSED_MAX).join(",");

/** Newest first. */
export function needsOf(jobs: Job[], machines: Machine[], dismissed: readonly string[]): Need[] {
  const gone = new Set(dismissed);
  const failed = jobs
    .flatMap((job): Need[] => {
      if (job.state !== "failed" || !job.error || job.error.kind === "cancelled") return [];
      const machine = machines.find((one) => one.id === job.machine);
      return [{ id: job.id, kind: "job", job, error: job.error, machine }];
    })
    .sort((a, b) => when(b).localeCompare(when(a)));
  const troubled = machines.flatMap((machine): Need[] => {
    if (!machine.state_reason || !(machine.state === "broken" || machine.state === "stopped")) return [];
    // The job that failed to start it says it already.
    if (failed.some((need) => need.kind === "job" && need.machine?.id === machine.id)) return [];
    return [
      {
        id: `${machine.id.slice(0, 12)}-${mark(machine.state_reason)}`,
        kind: "machine",
        machine,
        error: { code: `machine-${machine.state}`, message: machine.state_reason, hint: "" },
      },
    ];
  });
  return [...troubled, ...failed].filter((need) => !gone.has(need.id));
}

const when = (need: Need): string => (need.kind === "job" ? (need.job.finished_at ?? need.job.created_at) : "");

export interface Day {
  day: "earlierToday" | "yesterday" | "before";
  entries: ActivityEntry[];
}

/** The history by day, newest first, without what was cleared. */
export function byDay(entries: ActivityEntry[], clearedAt: string, now: Date): Day[] {
  const days: Day[] = [
    { day: "earlierToday", entries: [] },
    { day: "yesterday", entries: [] },
    { day: "before", entries: [] },
  ];
  for (const entry of entries) {
    if (entry.at <= clearedAt) continue;
    const ago = daysAgo(new Date(entry.at), now);
    days[ago <= 0 ? 0 : ago === 1 ? 1 : 2]?.entries.push(entry);
  }
  return days.filter((day) => day.entries.length > 0);
}
