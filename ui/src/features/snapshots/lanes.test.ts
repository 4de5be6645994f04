import { describe, expect, it } from "vitest";
import type { Snapshot } from "../../data";
import { withoutHidden } from "./hidden";
import { LANES_SHOWN, layout, NOW, segmentsOf } from "./lanes";

const snapshot = (id: string, parent: string | null, minute: number): Snapshot => ({
  id,
  name: id,
  parent,
  created_at: new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString(),
  memory: false,
  size: 1,
  screenshot: null,
  notes: "",
  automatic: false,
  kind: "user",
  keep: false,
  paused: false,
  memory_size: 0,
  memory_packed: false,
  group: null,
  medium: null,
  needed_by: [],
});

const lanesOf = (snapshots: Snapshot[], current: string | null) =>
  Object.fromEntries(layout(snapshots, current).rows.map((row) => [row.id, row.lane]));

describe("layout", () => {
  const chain = [snapshot("a", null, 1), snapshot("b", "a", 2), snapshot("c", "b", 3)];

  it("shows Now alone without snapshots", () => {
    expect(layout([], null)).toEqual({
      rows: [{ id: NOW, snapshot: undefined, parent: null, lane: 0, level: 1 }],
      lanes: 1,
    });
  });

  it("keeps a chain in lane 0, newest first", () => {
    const { rows, lanes } = layout(chain, "c");
    expect(rows.map((row) => row.id)).toEqual([NOW, "c", "b", "a"]);
    expect(rows.map((row) => row.level)).toEqual([4, 3, 2, 1]);
    expect(lanes).toBe(1);
  });

  it("moves what is not the present's chain aside after a restore", () => {
    expect(lanesOf(chain, "a")).toEqual({ [NOW]: 0, a: 0, b: 1, c: 1 });
  });

  it("gives branches that run beside each other their own lanes", () => {
    const tree = [
      snapshot("a", null, 1),
      snapshot("b", "a", 2),
      snapshot("c", "b", 3),
      snapshot("d", "c", 4),
      snapshot("e", "b", 5),
      snapshot("f", "b", 6),
    ];
    const lanes = lanesOf(tree, "f");
    expect(lanes.f).toBe(0);
    expect(lanes.b).toBe(0);
    expect(lanes.d).toBe(lanes.c);
    expect(lanes.e).not.toBe(lanes.d);
    expect(new Set([lanes.e, lanes.d]).has(0)).toBe(false);
  });

  it("uses a lane again where the branch before has ended", () => {
    const tree = [snapshot("a", null, 1), snapshot("x", "a", 2), snapshot("b", "a", 3), snapshot("y", "b", 4), snapshot("c", "b", 5)];
    const { lanes } = layout(tree, "c");
    expect(lanes).toBe(2);
  });

  it("puts a child above its parent whatever the clock said", () => {
    const rows = layout([snapshot("parent", null, 9), snapshot("child", "parent", 1)], "child").rows;
    expect(rows.map((row) => row.id)).toEqual([NOW, "child", "parent"]);
  });

  it("survives lost parents, circles and an unknown present", () => {
    const odd = [snapshot("a", "gone", 1), snapshot("b", "c", 2), snapshot("c", "b", 3)];
    const { rows } = layout(odd, "nowhere");
    expect(rows.map((row) => row.id).sort()).toEqual(["a", "b", "c", NOW].sort());
    expect(rows[0]?.parent).toBeNull();
    expect(() => rows.map((_, at) => segmentsOf(rows)(at))).not.toThrow();
  });

  const many = (parent: (at: number) => number) =>
    Array.from({ length: 1_000 }, (_, at) => snapshot(`s${at}`, at === 0 ? null : `s${parent(at)}`, at));

  it("keeps a thousand snapshots in a few lanes, each parent below its children", () => {
    const { rows, lanes } = layout(many((at) => Math.floor((at - 1) / 2)), "s999");
    expect(rows).toHaveLength(1_001);
    expect(lanes).toBeLessThanOrEqual(LANES_SHOWN);
    const place = new Map(rows.map((row, at) => [row.id, at]));
    for (const [at, row] of rows.entries()) {
      if (row.parent) expect(place.get(row.parent)).toBeGreaterThan(at);
    }
    const lines = segmentsOf(rows);
    // No row has more lines than its lanes can hold, passing and joining.
    for (const at of rows.keys()) expect(lines(at).length).toBeLessThanOrEqual(2 * LANES_SHOWN);
  });

  it("keeps a chain of a thousand in one lane", () => {
    expect(layout(many((at) => at - 1), "s999").lanes).toBe(1);
  });
});

describe("segmentsOf", () => {
  it("draws Now dashed and bends a branch into its parent's lane", () => {
    const tree = [snapshot("a", null, 1), snapshot("b", "a", 2)];
    const { rows } = layout(tree, "a");
    const lines = rows.map((_, at) => segmentsOf(rows)(at));
    expect(rows.map((row) => row.id)).toEqual([NOW, "b", "a"]);
    expect(lines[0]).toEqual([{ lane: 0, into: 0, from: "middle", to: "bottom", dashed: true }]);
    expect(lines[1]).toContainEqual({ lane: 0, into: 0, from: "top", to: "bottom", dashed: true });
    expect(lines[2]).toContainEqual({ lane: 1, into: 0, from: "top", to: "middle", dashed: false });
  });
});

describe("withoutHidden", () => {
  it("hangs children and the present on the nearest parent that is left", () => {
    const list = { current: "c", depth: 4, snapshots: [snapshot("a", null, 1), snapshot("b", "a", 2), snapshot("c", "b", 3), snapshot("d", "c", 4)] };
    const shown = withoutHidden(list, { snapshots: new Set(["b", "c"]), memories: new Set() });
    expect(shown.current).toBe("a");
    expect(shown.snapshots.map((one) => [one.id, one.parent])).toEqual([
      ["a", null],
      ["d", "a"],
    ]);
  });

  it("shows a snapshot whose memory goes without it, and its size", () => {
    const one = { ...snapshot("a", null, 1), memory: true, size: 500, memory_size: 400 };
    const shown = withoutHidden({ current: "a", depth: 1, snapshots: [one] }, { snapshots: new Set(), memories: new Set(["a"]) });
    expect(shown.snapshots[0]).toMatchObject({ memory: false, size: 100, memory_size: 0 });
  });
});
