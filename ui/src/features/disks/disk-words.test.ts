import { describe, expect, it } from "vitest";
import type { DiskDetails } from "../../data/types";
import { GIB } from "../../data/format";
import { barTotal, diskName, groupsOf, partsOf, whyNot } from "./disk-words";

const disk = (part: Partial<DiskDetails> = {}): DiskDetails =>
  ({
    id: "abcdef0123456789",
    number: 1,
    label: null,
    capacity: 20 * GIB,
    used: 3 * GIB,
    in_snapshots: 0,
    shared: 0,
    attached: true,
    removed_at: null,
    ...part,
  }) as DiskDetails;

describe("a disk", () => {
  it("is called as the user calls it, by its place, or by its id", () => {
    expect(diskName(disk({ label: "Photos" }))).toBe("Photos");
    expect(diskName(disk({ number: 3 }))).toBe("Disk 3");
    expect(diskName(disk({ number: 0 }))).toBe("Disk abcdef");
  });

  it("shows what takes space, and never more than its bar", () => {
    expect(partsOf(disk()).map((part) => part.role)).toEqual(["active"]);
    const full = disk({ used: 18 * GIB, in_snapshots: 9 * GIB, shared: GIB });
    expect(partsOf(full).map((part) => part.role)).toEqual(["active", "snapshots", "shared"]);
    expect(barTotal(full, partsOf(full))).toBe(28 * GIB);
    expect(barTotal(disk(), partsOf(disk()))).toBe(20 * GIB);
  });

  it("is in one group", () => {
    const groups = groupsOf([
      disk({ number: 2 }),
      disk({ number: 1 }),
      disk({ attached: false }),
      disk({ attached: false, removed_at: "2026-11-20T00:00:00Z" }),
    ]);
    expect(groups.attached.map((one) => one.number)).toEqual([1, 2]);
    expect([groups.detached.length, groups.bin.length]).toEqual([1, 1]);
  });
});

describe("whyNot", () => {
  const off = { state: "stopped", disposable: false } as const;
  const on = { state: "running", disposable: false } as const;

  it("allows everything while the machine is off", () => {
    for (const act of ["options", "order", "grow", "images", "detach", "move", "remove"] as const) {
      expect(whyNot(act, off, true)).toBeNull();
    }
  });
  it("allows while running what can be done while running", () => {
    for (const act of ["grow", "detach", "remove"] as const) expect(whyNot(act, on, true)).toBeNull();
    for (const act of ["options", "order", "move"] as const) expect(whyNot(act, on, true)).toContain("runs");
    expect(whyNot("images", on, true)).toContain("writes");
    expect(whyNot("images", on, false)).toBeNull();
    expect(whyNot("grow", { ...on, disposable: true }, true)).toContain("forgotten");
  });
  it("leaves a saved state what it needs", () => {
    expect(whyNot("grow", { ...off, state: "suspended" }, true)).toContain("saved state");
    expect(whyNot("detach", { ...off, state: "starting" }, true)).toContain("starting");
  });
});
