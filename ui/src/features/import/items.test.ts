import { describe, expect, it } from "vitest";
import { GIB } from "../../data/format";
import type { ImportPlan, Machine } from "../../data/types";
import { isReady, type Item, problemOf, reduceItems, startItems, toImportRequest, totals } from "./items";

const plan = (path: string, part: Partial<ImportPlan> = {}): ImportPlan => ({
  path,
  recognised: "qcow2",
  description: "qcow2 v3",
  name: "disk",
  system: null,
  glyph: "??",
  arch: "x86_64",
  arch_reason: "this computer's",
  firmware: "uefi",
  cpus: 2,
  memory: 2 * GIB,
  disk: 10 * GIB + 1,
  size: GIB,
  needs: GIB,
  partitions: [],
  disks: [],
  inside: null,
  medium: null,
  nics: [],
  notes: "",
  ports: [],
  shares: [],
  snapshots: [],
  clock_local: false,
  new_disk_bus: "virtio",
  items: [],
  warnings: [],
  ...part,
});
const machine = { name: "Disk" } as Machine;
const ready = (items: Item[]) => items.filter(isReady);

describe("items", () => {
  it("are added once each and named freely", () => {
    let items = startItems(["/a/one.qcow2", "/a/one.qcow2", "/b/two.iso"]);
    expect(items.map((item) => item.file)).toEqual(["one.qcow2", "two.iso"]);
    items = reduceItems(items, { type: "add", paths: ["/b/two.iso", "/c/three.raw"] });
    expect(items).toHaveLength(3);
    for (const path of ["/a/one.qcow2", "/b/two.iso"]) {
      items = reduceItems(items, { type: "planned", path, plan: plan(path), machines: [machine] });
    }
    expect(ready(items).map((item) => item.choice.name)).toEqual(["disk 2", "disk 3"]);
  });

  it("keep what the user set when the architecture changes", () => {
    let items = startItems(["/a"]);
    items = reduceItems(items, { type: "planned", path: "/a", plan: plan("/a"), machines: [] });
    items = reduceItems(items, { type: "choose", path: "/a", choice: { name: "mine", action: "move", cpus: 8 } });
    items = reduceItems(items, { type: "planned", path: "/a", plan: plan("/a", { arch: "aarch64", cpus: 4 }), machines: [] });
    expect(ready(items)[0]?.choice).toMatchObject({ name: "mine", action: "move", arch: "aarch64", cpus: 4 });
  });

  it("know a name that another item has", () => {
    let items = startItems(["/a", "/b"]);
    for (const path of ["/a", "/b"]) items = reduceItems(items, { type: "planned", path, plan: plan(path), machines: [] });
    items = reduceItems(items, { type: "choose", path: "/b", choice: { name: "DISK" } });
    const second = ready(items)[1];
    if (!second) throw new Error("not ready");
    expect(problemOf(second, items, [])).toBe("taken");
  });

  it("ask for exactly what was chosen", () => {
    let items = startItems(["/a", "/i"]);
    items = reduceItems(items, { type: "planned", path: "/a", plan: plan("/a"), machines: [] });
    items = reduceItems(items, { type: "planned", path: "/i", plan: plan("/i", { recognised: "iso", disk: 20 * GIB }), machines: [] });
    const [disk, iso] = ready(items).map(toImportRequest);
    expect(disk).toMatchObject({ action: "copy", name: "disk" });
    expect(disk).not.toHaveProperty("disk");
    expect(iso).toMatchObject({ disk: 20 * GIB });
    expect(iso).not.toHaveProperty("action");
    expect(totals(ready(items))).toEqual({ copy: GIB, moved: 0 });
  });

  it("show a failure until something is changed", () => {
    let items = startItems(["/a"]);
    items = reduceItems(items, { type: "planned", path: "/a", plan: plan("/a"), machines: [] });
    const error = { code: "x", kind: "failed" as const, message: "", hint: "", details: {} };
    items = reduceItems(items, { type: "failed", path: "/a", error });
    expect(ready(items)[0]?.failure).toBe(error);
    items = reduceItems(items, { type: "choose", path: "/a", choice: { start: true } });
    expect(ready(items)[0]?.failure).toBeNull();
  });
});
