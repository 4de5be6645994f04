import { describe, expect, it } from "vitest";
import { roundTimeLeft, SmoothEta } from "./eta";
import { formatBytes, formatBytesOf, formatMoment, formatRate, GIB, MIB, splitBytes } from "./format";

describe("sizes", () => {
  it("have at most three digits and one decimal", () => {
    expect(formatBytes(0, "en")).toBe("0 bytes");
    expect(formatBytes(632 * MIB, "en")).toBe("632 MB");
    expect(formatBytes(6.2 * GIB, "en")).toBe("6.2 GB");
    expect(formatBytes(40 * GIB, "en")).toBe("40 GB");
    expect(formatBytes(1023 * MIB, "en")).toBe("1 GB");
    expect(formatBytes(212.4 * GIB, "en")).toBe("212 GB");
    expect(formatBytes(Number.NaN, "en")).toBe("0 bytes");
    expect(formatBytes(-1, "en")).toBe("0 bytes");
  });
  it("follow the language", () => {
    expect(formatBytes(6.2 * GIB, "de")).toBe("6,2\u00a0GB");
    expect(formatRate(18.4 * MIB, "en")).toBe("18.4 MB/s");
  });
  it("share one unit in a progress", () => {
    expect(formatBytesOf(392 * MIB, 632 * MIB, "en")).toEqual({ done: "392", total: "632 MB" });
    expect(formatBytesOf(700 * MIB, 2 * GIB, "en")).toEqual({ done: "0.7", total: "2 GB" });
    expect(formatBytesOf(3 * GIB, 2 * GIB, "en").done).toBe("2");
  });
  it("come apart", () => {
    expect(splitBytes(4 * GIB, "en")).toEqual({ value: "4", unit: "GB" });
  });
});

describe("moments", () => {
  const now = new Date(2026, 10, 24, 14, 30);
  it("get shorter as they are nearer", () => {
    expect(formatMoment(new Date(2026, 10, 24, 9, 5).toISOString(), now, "en-GB")).toBe("09:05");
    expect(formatMoment(new Date(2026, 10, 23, 19, 20).toISOString(), now, "en-GB")).toBe("Yesterday 19:20");
    expect(formatMoment(new Date(2026, 10, 3, 8, 0).toISOString(), now, "en-GB")).toBe("3 Nov 08:00");
    expect(formatMoment("nonsense", now)).toBe("");
  });
});

describe("time left", () => {
  it("is rounded more as it is longer", () => {
    expect(roundTimeLeft(0.2)).toEqual({ unit: "seconds", count: 1 });
    expect(roundTimeLeft(13)).toEqual({ unit: "seconds", count: 15 });
    expect(roundTimeLeft(57)).toEqual({ unit: "minutes", count: 1 });
    expect(roundTimeLeft(3 * 3600)).toEqual({ unit: "hours", count: 3 });
  });
  it("never jumps up, however wild the estimates", () => {
    const eta = new SmoothEta();
    let now = 0;
    let last = eta.update(30, now) ?? 0;
    for (const estimate of [600, 5, 900, 40, 1e6, 20, 3600]) {
      for (let n = 0; n < 10; n += 1) {
        now += 100;
        const shown = eta.update(estimate, now) ?? 0;
        expect(shown - last).toBeLessThanOrEqual(0.15 + 1e-9);
        last = shown;
      }
    }
  });
  it("counts down with the clock and comes to honest estimates", () => {
    const eta = new SmoothEta();
    eta.update(100, 0);
    let shown = 0;
    for (let second = 1; second <= 20; second += 1) shown = eta.update(50 - second, second * 1000) ?? 0;
    expect(shown).toBeGreaterThan(28);
    expect(shown).toBeLessThan(34);
  });
  it("forgets when nothing is known", () => {
    const eta = new SmoothEta();
    eta.update(100, 0);
    expect(eta.update(null, 1000)).toBeNull();
    expect(eta.update(10, 2000)).toBe(10);
  });
});
