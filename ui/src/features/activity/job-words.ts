/** One line about a job that moves: bytes, rate, time left, each only when known. */
import { formatBytes, formatBytesOf, formatRate, type Job, type TimeLeft } from "../../data";
import { t } from "../../i18n";

export const joinWords = (parts: (string | null | undefined | false)[]): string =>
  parts
    .filter((part): part is string => Boolean(part))
    .reduce((first, second) => (first ? t("job.join", { first, second }) : second), "");

export function bytesWords(job: Job): string | null {
  if (job.bytes_done === null) return null;
  if (!job.bytes_total) return job.bytes_done > 0 ? formatBytes(job.bytes_done) : null;
  return t("job.bytes", formatBytesOf(job.bytes_done, job.bytes_total));
}

export const rateWords = (job: Job): string | null =>
  job.state === "running" && job.rate !== null && job.rate > 0 ? formatRate(job.rate) : null;

export const leftWords = (left: TimeLeft | null): string | null =>
  left ? t(`job.left.${left.unit}`, { count: left.count }) : null;

/** 0 to 1 for the step that moves bytes, else for the job, else null. */
export function shareOf(job: Job): number | null {
  if (job.bytes_done !== null && job.bytes_total) return Math.min(1, job.bytes_done / job.bytes_total);
  return job.progress;
}
