import { describe, expect, it } from "vitest";
import type { Job, Machine } from "../../data/types";
import { addDismissed, byDay, mark, needsOf, parseDismissed } from "./needs";

const job = (id: string, part: Partial<Job> = {}): Job =>
  ({
    id,
    state: "failed",
    title: id,
    machine: null,
    created_at: "2026-11-24T10:00:00Z",
    finished_at: `2026-11-24T10:0${id.length}:00Z`,
    error: { code: "x", kind: "failed", message: "m", hint: "", details: {} },
    ...part,
  }) as Job;
const machine = (id: string, part: Partial<Machine> = {}): Machine =>
  ({ id, name: id, state: "stopped", state_reason: null, ...part }) as Machine;

describe("needsOf", () => {
  it("takes failures, not cancellations or what is dismissed", () => {
    const cancelled = job("c", { error: { code: "cancelled", kind: "cancelled", message: "", hint: "", details: {} } });
    const needs = needsOf([job("a"), job("bb"), job("d", { state: "done", error: null }), cancelled], [], ["a"]);
    expect(needs.map((need) => need.id)).toEqual(["bb"]);
  });
  it("takes machines in trouble once, and again when the reason is another", () => {
    const broken = machine("m", { state: "broken", state_reason: "disk is gone" });
    const [need] = needsOf([], [broken, machine("fine")], []);
    expect(need?.kind).toBe("machine");
    const dismissed = parseDismissed(addDismissed("", need?.id ?? ""));
    expect(needsOf([], [broken], dismissed)).toEqual([]);
    expect(needsOf([], [{ ...broken, state_reason: "something else" }], dismissed)).toHaveLength(1);
    expect(needsOf([job("a", { machine: "m" })], [broken], [])).toHaveLength(1);
  });
  it("keeps a bounded list of what was dismissed", () => {
    let value = "";
    for (let n = 0; n < 300; n += 1) value = addDismissed(value, `id${n}`);
    expect(parseDismissed(value)).toHaveLength(200);
    expect(parseDismissed(undefined)).toEqual([]);
    expect(mark("a")).not.toBe(mark("b"));
  });
});

describe("byDay", () => {
  const at = (day: number, hour = 12) => new Date(2026, 10, day, hour).toISOString();
  it("groups by this computer's calendar and leaves out what was cleared", () => {
    const entries = [at(24, 9), at(23), at(3)].map((time) => ({ at: time, machine: null, kind: "k", message: "m" }));
    const now = new Date(2026, 10, 24, 14);
    expect(byDay(entries, "", now).map((day) => [day.day, day.entries.length])).toEqual([
      ["earlierToday", 1],
      ["yesterday", 1],
      ["before", 1],
    ]);
    expect(byDay(entries, at(23), now).map((day) => day.day)).toEqual(["earlierToday"]);
  });
});
