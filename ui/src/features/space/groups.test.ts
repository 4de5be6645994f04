import { describe, expect, it } from "vitest";
import type { SpaceItem } from "../../data/types";
import { freeableOf, groupsOf, noteOf } from "./groups";

const item = (part: Partial<SpaceItem>): SpaceItem => ({
  kind: "snapshot",
  machine: "m",
  machine_name: "M",
  snapshot: null,
  title: "",
  bytes: 1,
  freeable: 0,
  action: null,
  note: null,
  ...part,
});

describe("groupsOf", () => {
  it("groups by machine and sorts groups and items by size", () => {
    const groups = groupsOf({
      free: 0,
      items: [
        item({ bytes: 5, title: "small" }),
        item({ machine: "n", machine_name: "N", bytes: 50 }),
        item({ bytes: 30, title: "large" }),
      ],
    });
    expect(groups.map((group) => [group.name, group.bytes])).toEqual([
      ["N", 50],
      ["M", 35],
    ]);
    expect(groups[1]?.items.map((one) => one.title)).toEqual(["large", "small"]);
  });

  it("puts deleted machines and downloads to the library", () => {
    const groups = groupsOf({
      free: 0,
      items: [
        item({ kind: "trash", machine: "gone", machine_name: "Gone" }),
        item({ kind: "trash", machine: "m", title: "The disk “Mail” in the bin", action: "empty-trash" }),
        item({ kind: "cache", machine: null, machine_name: null }),
      ],
    });
    expect(groups).toHaveLength(1);
    expect(groups[0]).toMatchObject({ machine: null, name: null, bytes: 3 });
  });
});

describe("what can be freed", () => {
  it("counts only what has an action", () => {
    const items = [item({ freeable: 7 }), item({ freeable: 5, action: "drop-memory" }), item({ freeable: 3, action: "prune-cache" }), item({ freeable: 4, action: "prune-cache" })];
    expect(freeableOf({ free: 0, items })).toBe(12);
    expect(freeableOf({ free: 0, items }, "prune-cache")).toBe(7);
  });

  it("says why something stays, and leaves what is lost to the question", () => {
    expect(noteOf(item({ note: "Clones stand on it" }))).toBe("Clones stand on it");
    expect(noteOf(item({ note: "Gone for good", action: "delete-snapshot" }))).toBeNull();
  });
});
