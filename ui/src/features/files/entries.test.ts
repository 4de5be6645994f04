import { describe, expect, it } from "vitest";
import type { FileEntry, Listing } from "../../data/types";
import { address, crumbsOf, entriesOf, joinPath, parentOf, typeAhead } from "./entries";

const entry = (name: string, kind: FileEntry["kind"] = "file"): FileEntry => ({ name, kind, size: 0, modified: null, target: null });
const page = (...entries: FileEntry[]): Listing => ({ volumes: [], volume: 1, path: "/", entries, more: false, notes: [] });

describe("paths", () => {
  it("go down and up", () => {
    expect(joinPath("/", "etc")).toBe("/etc");
    expect(joinPath("/etc", "ssh")).toBe("/etc/ssh");
    expect(parentOf("/etc/ssh")).toBe("/etc");
    expect(parentOf("/etc")).toBe("/");
    expect(address(2, "/etc")).toBe("2:/etc");
    expect(address(null, "/")).toBe("");
    expect(address(null, "/etc")).toBe("/etc");
    expect(crumbsOf("/a/b").map((crumb) => crumb.path)).toEqual(["/a", "/a/b"]);
  });
});

describe("entries", () => {
  it("are folders first, by name as people sort, over all pages", () => {
    const names = entriesOf([page(entry("b10"), entry("z", "folder")), page(entry("b2"), entry("A", "folder"))]).map((one) => one.name);
    expect(names).toEqual(["A", "z", "b2", "b10"]);
  });
  it("are found by letters, round and round", () => {
    const all = ["apt", "etc", "Else", "var"].map((name) => entry(name));
    expect(typeAhead(all, "e", 0)).toBe(1);
    expect(typeAhead(all, "e", 1)).toBe(2);
    expect(typeAhead(all, "e", 2)).toBe(1);
    expect(typeAhead(all, "el", 1)).toBe(2);
    expect(typeAhead(all, "q", 0)).toBe(-1);
  });
});
