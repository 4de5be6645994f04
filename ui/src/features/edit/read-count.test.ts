import { describe, expect, it } from "vitest";
import { readCount } from "./read-count";

describe("readCount", () => {
  it("takes whole numbers from 1 to 1000 and nothing else", () => {
    expect(readCount(" 12 ")).toBe(12);
    expect(readCount("1000")).toBe(1000);
    for (const bad of ["", "0", "1001", "1.5", "-3", "1e3", "ten"]) expect(readCount(bad)).toBeNull();
  });
});
