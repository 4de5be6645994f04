import { describe, expect, it } from "vitest";
import type { Snapshot } from "../../data/types";
import type { LaneRow } from "./lanes";
import { marksOf, sizeWords } from "./marks";

const MIB = 1024 ** 2;
const snapshot = (part: Partial<Snapshot>): Snapshot =>
  ({ id: "s", kind: "user", memory: false, keep: false, paused: false, size: 0, memory_size: 0, memory_packed: false, group: null, needed_by: [], ...part }) as Snapshot;
const row = (lane: number): LaneRow => ({ id: "s", snapshot: undefined, parent: null, lane, level: 1 });
const words = (one: Snapshot, lane = 0, together: string[] = []) => marksOf(row(lane), one, together).map((mark) => mark.words);

describe("marksOf", () => {
  it("has none for a plain snapshot, and the branch only where nothing else is told", () => {
    expect(words(snapshot({}))).toEqual([]);
    expect(words(snapshot({}), 1)).toEqual(["Another branch"]);
    expect(words(snapshot({ keep: true }), 1)).toEqual(["Kept for ever"]);
  });

  it("begins with why it was taken", () => {
    expect(words(snapshot({ kind: "scheduled", memory: true, keep: true }))).toEqual([
      "By schedule",
      "With running state",
      "Kept for ever",
    ]);
    expect(words(snapshot({ kind: "before-start", memory: true, paused: true }))[1]).toBe("With paused state");
  });

  it("names few other machines and counts many", () => {
    const one = snapshot({ group: "g" });
    expect(words(one)).toEqual(["Together with other machines"]);
    expect(words(one, 0, ["a", "b"])).toEqual(["Together with a and b"]);
    expect(words(one, 0, ["a", "b", "c"])).toEqual(["Together with 3 others"]);
  });
});

describe("sizeWords", () => {
  it("tells disk and memory apart", () => {
    expect(sizeWords(snapshot({ size: 90 * MIB }))).toBe("90 MB");
    expect(sizeWords(snapshot({ size: 90 * MIB, memory_size: 60 * MIB }))).toBe("Disk 30 MB, memory 60 MB");
    expect(sizeWords(snapshot({ size: 90 * MIB, memory_size: 60 * MIB, memory_packed: true }))).toBe("Disk 30 MB, memory 60 MB, packed");
  });
});
