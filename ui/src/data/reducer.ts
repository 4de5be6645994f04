/** What one event does to what is cached. Pure, so that two clients are proved to see the same. */
import type { ActivityEntry, Job, Machine, ServiceEvent } from "./types";

/** Parts of the cache that an event replaces; undefined parts were never loaded and stay so. */
export interface Cached {
  machines?: Machine[] | undefined;
  jobs?: Job[] | undefined;
  activity?: ActivityEntry[] | undefined;
}

/** What has to be read again, because the event does not carry it. */
export type Stale =
  | { what: "machines" | "trash" | "config" | "doctor" | "activity" | "jobs" | "templates" | "space" }
  | { what: "snapshots" | "disks"; machine: string };

export interface Reduced {
  cached: Cached;
  stale: Stale[];
  /** Everything must be read again. */
  lost: boolean;
}

/** Longest activity list kept; the service sends as many. */
export const ACTIVITY_MAX = 200;

/** Replaces the item with the same id, or appends it. */
export function upsert<T extends { id: string }>(list: T[], item: T): T[] {
  const at = list.findIndex((other) => other.id === item.id);
  if (at < 0) return [...list, item];
  const next = list.slice();
  next[at] = item;
  return next;
}

/** Jobs, newest first; an event never takes a job back in time once it is over. */
export function upsertJob(list: Job[], job: Job): Job[] {
  const at = list.findIndex((other) => other.id === job.id);
  if (at < 0) return [job, ...list];
  const old = list[at];
  if (old && isOver(old) && !isOver(job)) return list;
  const next = list.slice();
  next[at] = job;
  return next;
}

export const isOver = (job: Job): boolean =>
  job.state === "done" || job.state === "failed" || job.state === "cancelled";

const SNAPSHOT_JOBS = new Set<Job["kind"]>(["snapshot-delete", "tidy", "clone"]);

/** Applies one event. */
export function reduceEvent(before: Cached, event: ServiceEvent): Reduced {
  const cached: Cached = { ...before };
  const stale: Stale[] = [];
  if (event.kind === "events.lost") return { cached, stale, lost: true };

  if (event.machine_now && cached.machines && event.kind !== "machine.removed") {
    cached.machines = upsert(cached.machines, event.machine_now);
  }
  if (event.kind === "machine.removed" && event.machine) {
    cached.machines = cached.machines?.filter((machine) => machine.id !== event.machine);
    stale.push({ what: "trash" });
  } else if (event.kind.startsWith("machine.") && !event.machine_now) {
    stale.push({ what: "machines" });
  }
  if (event.job) {
    const old = cached.jobs?.find((job) => job.id === event.job?.id);
    if (cached.jobs) cached.jobs = upsertJob(cached.jobs, event.job);
    // A finished creation fills the image cache and adds to the history.
    if (isOver(event.job) && !(old && isOver(old))) {
      stale.push({ what: "activity" }, { what: "templates" }, { what: "space" });
      // What was merged in the background changes sizes, and no event of its own says so.
      if (event.job.machine && SNAPSHOT_JOBS.has(event.job.kind)) {
        stale.push({ what: "snapshots", machine: event.job.machine });
      }
      if (event.job.machine) stale.push({ what: "disks", machine: event.job.machine });
    }
  }
  // Which disks there are, and what of them is in snapshots.
  if (event.machine && /^(machine|snapshot|disk)\.(?!removed)/.test(event.kind)) stale.push({ what: "disks", machine: event.machine });
  if (event.kind.startsWith("snapshot.") && event.machine) {
    stale.push({ what: "snapshots", machine: event.machine });
    if (!event.machine_now) stale.push({ what: "machines" });
    stale.push({ what: "space" });
  }
  if (event.kind === "trash.changed") stale.push({ what: "trash" }, { what: "space" });
  // What is downloaded decides how fast a template is made.
  if (event.kind === "cache.changed") stale.push({ what: "space" }, { what: "templates" });
  if (event.kind === "config.changed") stale.push({ what: "config" }, { what: "templates" });
  if (event.kind === "doctor.changed") stale.push({ what: "doctor" });

  if (event.message && cached.activity) {
    const entry: ActivityEntry = {
      at: event.at,
      machine: event.machine ?? null,
      kind: event.kind,
      message: event.message,
    };
    cached.activity = [entry, ...cached.activity].slice(0, ACTIVITY_MAX);
  }
  return { cached, stale, lost: false };
}
