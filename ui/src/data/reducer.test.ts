import { QueryClient } from "@tanstack/react-query";
import { describe, expect, it } from "vitest";
import { applyEvent, backoff } from "./events";
import { keys } from "./keys";
import { reduceEvent, upsertJob } from "./reducer";
import type { Job, Machine, ServiceEvent } from "./types";

const machine = (id: string, state: Machine["state"] = "stopped"): Machine =>
  ({ id, name: id, state, tags: [], disks: [], nics: [], ports: [] }) as unknown as Machine;
const job = (id: string, state: Job["state"], progress: number | null = null): Job =>
  ({ id, state, progress, title: id, steps: [] }) as unknown as Job;
const event = (part: Partial<ServiceEvent>): ServiceEvent => ({ at: "2026-11-24T14:00:00Z", kind: "machine.state", ...part });

describe("reduceEvent", () => {
  it("replaces a machine in place and appends a new one", () => {
    const before = { machines: [machine("a"), machine("b")] };
    const changed = reduceEvent(before, event({ machine: "a", machine_now: machine("a", "running") }));
    expect(changed.cached.machines?.map((m) => m.state)).toEqual(["running", "stopped"]);
    expect(before.machines[0]?.state).toBe("stopped");
    const added = reduceEvent(before, event({ kind: "machine.added", machine: "c", machine_now: machine("c") }));
    expect(added.cached.machines?.map((m) => m.id)).toEqual(["a", "b", "c"]);
  });

  it("removes a machine and makes the trash stale", () => {
    const { cached, stale } = reduceEvent(
      { machines: [machine("a"), machine("b")] },
      event({ kind: "machine.removed", machine: "a" }),
    );
    expect(cached.machines?.map((m) => m.id)).toEqual(["b"]);
    expect(stale).toContainEqual({ what: "trash" });
  });

  it("leaves what was never loaded alone", () => {
    const { cached } = reduceEvent({}, event({ machine: "a", machine_now: machine("a"), job: job("j", "running") }));
    expect(cached.machines).toBeUndefined();
    expect(cached.jobs).toBeUndefined();
  });

  it("makes only the machine's snapshots and the space report stale", () => {
    const { stale } = reduceEvent(
      { machines: [machine("a")] },
      event({ kind: "snapshot.taken", machine: "a", machine_now: machine("a") }),
    );
    expect(stale).toEqual([{ what: "disks", machine: "a" }, { what: "snapshots", machine: "a" }, { what: "space" }]);
  });

  it("reads history and cache marks again once, when a job ends", () => {
    const running = reduceEvent({ jobs: [] }, event({ kind: "job.progress", job: job("j", "running", 0.5) }));
    expect(running.stale).toEqual([]);
    const done = reduceEvent(running.cached, event({ kind: "job.progress", job: job("j", "done", 1) }));
    expect(done.stale).toContainEqual({ what: "activity" });
    const again = reduceEvent(done.cached, event({ kind: "job.progress", job: job("j", "done", 1) }));
    expect(again.stale).toEqual([]);
  });

  it("reads a machine's snapshots again when merging in the background ends", () => {
    const tidy = { ...job("j", "done", 1), kind: "tidy", machine: "a" } as Job;
    const { stale } = reduceEvent({ jobs: [] }, event({ kind: "job.progress", job: tidy }));
    expect(stale).toContainEqual({ what: "snapshots", machine: "a" });
  });

  it("keeps sentences newest first and bounded", () => {
    const activity = Array.from({ length: 200 }, (_, n) => ({ at: "", machine: null, kind: "k", message: String(n) }));
    const { cached } = reduceEvent({ activity }, event({ message: "now", machine: "a" }));
    expect(cached.activity).toHaveLength(200);
    expect(cached.activity?.[0]?.message).toBe("now");
  });

  it("measures the space again when downloads went", () => {
    const { stale } = reduceEvent({}, event({ kind: "cache.changed" }));
    expect(stale).toEqual([{ what: "space" }, { what: "templates" }]);
  });

  it("says when everything was lost", () => {
    expect(reduceEvent({ machines: [] }, event({ kind: "events.lost" })).lost).toBe(true);
  });
});

describe("upsertJob", () => {
  it("never brings a finished job back to life", () => {
    const list = [job("j", "done", 1)];
    expect(upsertJob(list, job("j", "running", 0.9))).toBe(list);
  });
  it("puts new jobs first", () => {
    expect(upsertJob([job("old", "done")], job("new", "queued")).map((j) => j.id)).toEqual(["new", "old"]);
  });
});

describe("applyEvent", () => {
  it("patches the query cache", () => {
    const queries = new QueryClient();
    queries.setQueryData(keys.machines, [machine("a")]);
    applyEvent(queries, event({ machine: "a", machine_now: machine("a", "running") }));
    expect(queries.getQueryData<Machine[]>(keys.machines)?.[0]?.state).toBe("running");
  });
  it("invalidates every live read after lost events, and nothing else", () => {
    const queries = new QueryClient();
    queries.setQueryData(keys.machines, []);
    queries.setQueryData(keys.snapshots("a"), { current: null, snapshots: [] });
    queries.setQueryData(keys.stats("a"), {});
    applyEvent(queries, event({ kind: "events.lost" }));
    expect(queries.getQueryState(keys.machines)?.isInvalidated).toBe(true);
    expect(queries.getQueryState(keys.snapshots("a"))?.isInvalidated).toBe(true);
    expect(queries.getQueryState(keys.stats("a"))?.isInvalidated).toBe(false);
  });
});

describe("backoff", () => {
  it("doubles, jitters and stops at five seconds", () => {
    expect(backoff(0, () => 1)).toBe(250);
    expect(backoff(2, () => 1)).toBe(1000);
    expect(backoff(40, () => 1)).toBe(5000);
    expect(backoff(40, () => 0)).toBe(3750);
  });
});
