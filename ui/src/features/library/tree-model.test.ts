import { describe, expect, it } from "vitest";
import type { Machine } from "../../data";
import { durationText, statusLine } from "./status-line";
import { allTags, filterMachines, matches, moveFocus, NO_FILTER, treeRows, typeAhead } from "./tree-model";

const machine = (name: string, extra: Partial<Machine> = {}): Machine =>
  ({
    id: `id-${name}`,
    name,
    state: "stopped",
    state_reason: null,
    arch: "x86_64",
    system: null,
    tags: [],
    notes: "",
    accelerator: null,
    started_at: null,
    ...extra,
  }) as Machine;

const library = [
  machine("web 10", { tags: ["Servers"], state: "running" }),
  machine("web 2", { tags: ["servers", "Work"] }),
  machine("Übung", { system: "Debian 13" }),
  machine("desk", { tags: ["Desktops"], notes: "the quiet one" }),
];

describe("treeRows", () => {
  it("groups by first tag, without regard to case, untagged last, names as people count", () => {
    const rows = treeRows(library, NO_FILTER, new Set());
    expect(rows.map((row) => (row.kind === "group" ? `[${row.tag ?? ""}]` : row.machine.name))).toEqual([
      "[Desktops]",
      "desk",
      "[Servers]",
      "web 2",
      "web 10",
      "[]",
      "Übung",
    ]);
  });

  it("hides what is in a closed group, but never what a search found", () => {
    const closed = new Set(["servers"]);
    const names = (search: string) =>
      treeRows(library, { ...NO_FILTER, search }, closed).flatMap((row) => (row.kind === "machine" ? [row.machine.name] : []));
    expect(names("")).toEqual(["desk", "Übung"]);
    expect(names("web")).toEqual(["web 2", "web 10"]);
  });

  it("numbers rows for screen readers", () => {
    const rows = treeRows(library, NO_FILTER, new Set());
    expect(rows.filter((row) => row.kind === "machine" && row.group === "servers").map((row) => [row.position, row.size])).toEqual([
      [1, 2],
      [2, 2],
    ]);
  });

  it("is quick with ten thousand machines", () => {
    const many = Array.from({ length: 10_000 }, (_, at) => machine(`m ${at}`, { tags: [`t${at % 30}`] }));
    const start = performance.now();
    expect(treeRows(many, { ...NO_FILTER, search: "m 99" }, new Set()).length).toBeGreaterThan(100);
    expect(performance.now() - start).toBeLessThan(1_500);
  });
});

describe("filter", () => {
  it("finds by every word, anywhere, without accents", () => {
    expect(matches(library[2] as Machine, "ubung debian")).toBe(true);
    expect(matches(library[3] as Machine, "QUIET desk")).toBe(true);
    expect(matches(library[3] as Machine, "quiet loud")).toBe(false);
  });
  it("narrows to running machines and tags", () => {
    expect(filterMachines(library, { ...NO_FILTER, state: "running" }).map((one) => one.name)).toEqual(["web 10"]);
    expect(filterMachines(library, { ...NO_FILTER, tag: "SERVERS" })).toHaveLength(2);
    expect(allTags(library)).toEqual(["Desktops", "Servers", "Work"]);
  });
});

describe("keys", () => {
  const rows = treeRows(library, NO_FILTER, new Set());
  it("moves and stops at the ends", () => {
    expect(moveFocus(rows, 0, "ArrowUp")).toBe(0);
    expect(moveFocus(rows, 0, "ArrowDown")).toBe(1);
    expect(moveFocus(rows, 0, "End")).toBe(rows.length - 1);
    expect(moveFocus(rows, 3, "x")).toBeNull();
    expect(moveFocus([], 0, "ArrowDown")).toBeNull();
  });
  it("types ahead, around the end, without accents", () => {
    expect(typeAhead(rows, 0, "w")).toBe(3);
    expect(typeAhead(rows, 3, "w")).toBe(4);
    expect(typeAhead(rows, 3, "web 2")).toBe(3);
    expect(typeAhead(rows, 4, "u")).toBe(6);
    expect(typeAhead(rows, 4, "zzz")).toBeNull();
  });
});

describe("statusLine", () => {
  const at = Date.UTC(2026, 0, 10);
  const since = (minutes: number) => new Date(at - minutes * 60_000).toISOString();
  it("says how long it has run, or that it is emulated", () => {
    expect(statusLine(machine("a", { state: "running", accelerator: "kvm", started_at: since(192) }), at)).toBe("Running · 3 h 12 min");
    expect(statusLine(machine("a", { state: "running", accelerator: "tcg", started_at: since(1) }), at)).toBe("Running · emulated");
    expect(statusLine(machine("a", { state: "suspended" }), at)).toBe("Saved");
  });
  it("counts in words", () => {
    expect(durationText(5_000)).toBe("just now");
    expect(durationText(41 * 60_000)).toBe("41 min");
    expect(durationText(6 * 86_400_000)).toBe("6 days");
  });
});
