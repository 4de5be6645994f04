/** Which job was begun for which disk by this window: a job of the service names only its machine. */
import { useSyncExternalStore } from "react";
import type { Job } from "../../data";

let jobs: ReadonlyMap<string, string> = new Map();
const listeners = new Set<() => void>();

function publish(next: Map<string, string>): void {
  jobs = next;
  for (const listener of listeners) listener();
}

/** The newest job of a disk is the one that counts. */
export const trackJob = (disk: string, job: Pick<Job, "id">): void => publish(new Map(jobs).set(disk, job.id));

export function forgetJob(disk: string): void {
  const next = new Map(jobs);
  if (next.delete(disk)) publish(next);
}

/** Disk id to job id. */
export const useTracked = (): ReadonlyMap<string, string> =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => jobs,
  );
