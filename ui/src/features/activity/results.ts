/** What finished jobs made or found, in words. Pure. */
import { formatBytes } from "../../data/format";
import { resultOf } from "../../data/job-result";
import type { Job } from "../../data/types";
import { t } from "../../i18n";

export interface Found {
  words: string;
  /** Something on this computer that can be shown. */
  path: string | null;
  /** Sentences below: what could not be carried, what was left out. */
  notes: string[];
}

const total = (files: { bytes: number }[]): number => files.reduce((sum, file) => sum + file.bytes, 0);

/** Null where there is nothing to say beyond the history. */
export function foundBy(job: Pick<Job, "kind" | "state" | "result">): Found | null {
  const result = resultOf(job);
  switch (result?.kind) {
    case "export": {
      const path = result.files[0]?.path ?? null;
      return {
        words: t("activity.found.export", { count: result.files.length, size: formatBytes(total(result.files)) }),
        path,
        notes: result.notes,
      };
    }
    case "backup":
    case "convert":
      return { words: t("activity.found.file", { size: formatBytes(result.bytes) }), path: result.path || null, notes: [] };
    case "copy-out":
      return {
        words: t("activity.found.copy", { count: result.files, size: formatBytes(result.bytes) }),
        path: null,
        notes: result.skipped.length > 0 ? [t("activity.found.skipped", { count: result.skipped.length })] : [],
      };
    case "disk-compact":
      return {
        words:
          result.before > result.after
            ? t("disks.compacted", { size: formatBytes(result.before - result.after) })
            : t("disks.compactedNothing"),
        path: null,
        notes: [],
      };
    case "disk-check":
      return {
        words:
          result.repaired > 0
            ? t("disks.repaired")
            : result.corruptions > 0 || !result.ok
              ? t("disks.damaged", { count: result.corruptions })
              : t("disks.sound"),
        path: null,
        notes: [],
      };
    default:
      return null;
  }
}

/** Finished jobs with something to say, newest first, less what was cleared. */
export function finishedOf(jobs: readonly Job[], clearedAt: string): { job: Job; found: Found }[] {
  return jobs
    .flatMap((job) => {
      const found = foundBy(job);
      return found && (job.finished_at ?? "") > clearedAt ? [{ job, found }] : [];
    })
    .sort((a, b) => (b.job.finished_at ?? "").localeCompare(a.job.finished_at ?? ""));
}
