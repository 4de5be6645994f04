/** What a job found or made, read with suspicion: the service says it is an object, its keys depend on the kind. */
import type { Job } from "./types";

interface Skipped {
  path: string;
  why: string;
}

export type JobResult =
  | { kind: "disk-check"; ok: boolean; corruptions: number; leaks: number; repaired: number; kept: string | null }
  | { kind: "disk-compact"; before: number; after: number }
  | { kind: "export"; files: { path: string; bytes: number }[]; notes: string[] }
  | { kind: "backup" | "convert"; path: string; bytes: number }
  | { kind: "copy-out"; files: number; folders: number; bytes: number; skipped: Skipped[] };

type Raw = Record<string, unknown>;

const isRaw = (value: unknown): value is Raw => typeof value === "object" && value !== null;
const number = (value: unknown): number => (typeof value === "number" ? value : value === true ? 1 : 0);
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const list = (value: unknown): Raw[] => (Array.isArray(value) ? value.filter(isRaw) : []);

/** Null while the job runs, when it failed, and for kinds without a result. */
export function resultOf(job: Pick<Job, "kind" | "state" | "result">): JobResult | null {
  const raw: unknown = job.result;
  if (job.state !== "done" || !isRaw(raw)) return null;
  switch (job.kind) {
    case "disk-check":
      return {
        kind: job.kind,
        ok: raw.ok === true,
        corruptions: number(raw.corruptions),
        leaks: number(raw.leaks),
        repaired: number(raw.repaired),
        kept: text(raw.kept) || null,
      };
    case "disk-compact":
      return { kind: job.kind, before: number(raw.before), after: number(raw.after) };
    case "export":
      return {
        kind: job.kind,
        files: list(raw.files).map((file) => ({ path: text(file.path), bytes: number(file.bytes) })),
        notes: Array.isArray(raw.notes) ? raw.notes.filter((note) => typeof note === "string") : [],
      };
    case "backup":
    case "convert":
      return { kind: job.kind, path: text(raw.path), bytes: number(raw.bytes) };
    case "copy-out":
      return {
        kind: job.kind,
        files: number(raw.files),
        folders: number(raw.folders),
        bytes: number(raw.bytes),
        skipped: list(raw.skipped).map((one) => ({ path: text(one.path), why: text(one.why) })),
      };
    default:
      return null;
  }
}
