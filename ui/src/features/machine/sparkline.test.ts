import { describe, expect, it } from "vitest";
import { findIn } from "../palette/find-in";
import { readPort } from "../edit/read-port";
import { SAMPLES, sparkPaths } from "./sparkline";

describe("sparkPaths", () => {
  it("draws nothing without a value", () => {
    expect(sparkPaths([], 1)).toEqual({ line: "", area: "" });
    expect(sparkPaths([null, null], 1)).toEqual({ line: "", area: "" });
  });
  it("ends at the right edge and stays in the picture", () => {
    const { line, area } = sparkPaths([0, 5, 50], 10);
    expect(line.endsWith("200.0 4.0")).toBe(true);
    expect(area.endsWith("Z")).toBe(true);
    const heights = [...line.matchAll(/ (-?[\d.]+)/g)].map((found) => Number(found[1]));
    expect(Math.min(...heights)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...heights)).toBeLessThanOrEqual(40);
  });
  it("fills the width with a minute of samples", () => {
    expect(sparkPaths(Array.from({ length: SAMPLES }, () => 1), 1).line.startsWith("M0.0 ")).toBe(true);
  });
});

describe("findIn", () => {
  it("marks every word, or nothing", () => {
    expect(findIn("Take snapshot", "sna")).toEqual([[5, 8]]);
    expect(findIn("Take snapshot", "SNA ta")).toEqual([
      [0, 2],
      [5, 8],
    ]);
    expect(findIn("Take snapshot", "sna x")).toBeNull();
    expect(findIn("Anything", "")).toEqual([]);
  });
});

describe("readPort", () => {
  it("takes ports and an empty field, and refuses the rest", () => {
    expect(readPort("8080")).toBe(8080);
    expect(readPort("")).toBe(0);
    for (const bad of ["0", "65536", "-1", "80x", "1.5", "٣"]) expect(readPort(bad)).toBeNull();
  });
});
