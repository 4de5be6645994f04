import { describe, expect, it } from "vitest";
import type { Job } from "../../data/types";
import { finishedOf, foundBy } from "./results";

const job = (kind: Job["kind"], result: unknown, part: Partial<Job> = {}) =>
  ({ kind, state: "done", result, finished_at: "2026-11-24T10:00:00Z", ...part }) as Job;

describe("foundBy", () => {
  it("says what was made, and where", () => {
    expect(foundBy(job("export", { files: [{ path: "/a.ova", bytes: 2048 }], notes: ["n"] }))).toEqual({
      words: "1 file, 2 kB",
      path: "/a.ova",
      notes: ["n"],
    });
    expect(foundBy(job("backup", { path: "/b", bytes: 1 }))?.path).toBe("/b");
    expect(foundBy(job("disk-check", { ok: false, corruptions: 2 }))?.words).toContain("2 damaged");
  });
  it("is silent about what it does not know", () => {
    expect(foundBy(job("export", null))).toBeNull();
    expect(foundBy(job("clone", { path: "/b" }))).toBeNull();
    expect(foundBy(job("export", { files: "x" }))?.path).toBeNull();
    expect(foundBy(job("backup", { path: "/b", bytes: 1 }, { state: "failed" }))).toBeNull();
  });
});

describe("finishedOf", () => {
  it("is newest first, less what was cleared", () => {
    const jobs = [9, 11, 10].map((hour) => job("backup", { path: `/${hour}`, bytes: 1 }, { finished_at: `2026-11-24T${String(hour).padStart(2, "0")}:00:00Z` }));
    expect(finishedOf(jobs, "2026-11-24T09:30:00Z").map(({ found }) => found.path)).toEqual(["/11", "/10"]);
  });
});
