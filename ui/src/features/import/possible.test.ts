import { describe, expect, it } from "vitest";
import type { ImportPlan } from "../../data/types";
import { byFate } from "./fates";
import { isBundle, possibleActions } from "./possible";

const plan = (recognised: ImportPlan["recognised"], disks = 1, inside: ImportPlan["inside"] = null) =>
  ({ recognised, inside, disks: Array.from({ length: disks }, () => ({})) }) as Pick<ImportPlan, "recognised" | "inside" | "disks">;

describe("possibleActions", () => {
  it("always copies, and says why the others are not possible", () => {
    expect(possibleActions(plan("qcow2"))).toEqual({ copy: null, move: null, link: null });
    expect(possibleActions(plan("vmdk"))).toMatchObject({ move: null, link: expect.stringContaining("qcow2") as string });
    expect(possibleActions(plan("xz", 1, "raw")).move).toContain("compressed");
    expect(possibleActions(plan("vbox", 2)).move).toContain("several files");
    expect(possibleActions(plan("ova", 2)).link).toContain("more than one");
  });
  it("knows machines of other programs, compressed too", () => {
    expect(isBundle(plan("zip", 1, "utm"))).toBe(true);
    expect(isBundle(plan("ova"))).toBe(true);
    expect(isBundle(plan("xz", 1, "raw"))).toBe(false);
  });
});

describe("byFate", () => {
  it("groups in the order kept, changed, left out, without empty groups", () => {
    const line = (fate: "kept" | "changed" | "dropped") => ({ what: fate, fate, why: null });
    expect(byFate([line("dropped"), line("kept")]).map((group) => group.fate)).toEqual(["kept", "dropped"]);
  });
});
