import { describe, expect, it } from "vitest";
import type { Machine, Snapshot } from "../../data/types";
import { copiedBytes } from "./size";

const snapshot = (id: string, parent: string | null, size: number, memory = 0): Snapshot =>
  ({ id, parent, size, memory_size: memory }) as Snapshot;
const machine = { current_snapshot: "c", disks: [{ used: 100 }, { used: 11 }] } as Machine;

describe("copiedBytes", () => {
  const list = [snapshot("a", null, 1_000), snapshot("b", "a", 500, 400), snapshot("c", "a", 30)];

  it("adds up the disks on the way to a snapshot, without memory", () => {
    expect(copiedBytes(machine, list, "b")).toBe(1_100);
  });

  it("counts the active images for the present", () => {
    expect(copiedBytes(machine, list, "c")).toBe(1_141);
    expect(copiedBytes({ ...machine, current_snapshot: null }, [], null)).toBe(111);
  });

  it("survives lost parents and circles", () => {
    expect(copiedBytes(machine, [snapshot("x", "y", 5), snapshot("y", "x", 6)], "x")).toBe(11);
    expect(copiedBytes(machine, [snapshot("x", "gone", 5)], "x")).toBe(5);
  });
});
