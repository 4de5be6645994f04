import { describe, expect, it } from "vitest";
import type { Machine } from "../../data/types";
import { candidates } from "./candidates";

const machine = (name: string, state: Machine["state"], tags: string[] = []): Machine =>
  ({ id: name, name, state, tags }) as unknown as Machine;
const names = (machines: Machine[]) => machines.map((one) => one.name);

describe("candidates", () => {
  const all = [machine("web", "running", ["Lab"]), machine("db", "paused", ["lab"]), machine("old", "broken", ["Lab"]), machine("app", "running")];

  it("are all that run, by name, unless said otherwise", () => {
    expect(names(candidates(all, {}))).toEqual(["app", "web"]);
  });

  it("are those with a tag, whatever its case, that can be snapshotted", () => {
    expect(names(candidates(all, { tag: "LAB" }))).toEqual(["db", "web"]);
  });

  it("are those named", () => {
    expect(names(candidates(all, { ids: ["db", "old", "gone"] }))).toEqual(["db"]);
  });
});
