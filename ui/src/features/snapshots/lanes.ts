/**
 * Where each snapshot stands: rows from newest to oldest with “Now” on top, lanes from parent links. The chain
 * the present grew from is always lane 0. Pure.
 */
import type { Snapshot } from "../../data";

export const NOW = "now";

/** Lanes drawn at most: further branches share the last one. */
export const LANES_SHOWN = 8;

export interface LaneRow {
  id: string;
  /** Undefined for “Now”. */
  snapshot: Snapshot | undefined;
  /** Row id of the parent, when it is among the rows. */
  parent: string | null;
  lane: number;
  /** Depth in the tree, from 1. */
  level: number;
}

export interface LaneLayout {
  rows: LaneRow[];
  lanes: number;
}

/** A line through or into one row, for drawing. */
export interface Segment {
  lane: number;
  /** Lane the line ends in, at the middle of the row, when it bends there. */
  into: number;
  from: "top" | "middle";
  to: "middle" | "bottom";
  dashed: boolean;
}

/** Newest first; at the same moment a child stands above its parent. */
function ordered(snapshots: Snapshot[]): Snapshot[] {
  const byId = new Map(snapshots.map((one) => [one.id, one]));
  const depth = new Map<string, number>();
  const depthOf = (one: Snapshot): number => {
    const path: Snapshot[] = [];
    const seen = new Set<string>();
    let at: Snapshot | undefined = one;
    while (at && !depth.has(at.id) && !seen.has(at.id)) {
      seen.add(at.id);
      path.push(at);
      at = at.parent ? byId.get(at.parent) : undefined;
    }
    let level = at ? (depth.get(at.id) ?? 0) : 0;
    for (const step of path.reverse()) depth.set(step.id, (level += 1));
    return depth.get(one.id) ?? 1;
  };
  return [...snapshots].sort(
    (a, b) => Date.parse(b.created_at) - Date.parse(a.created_at) || depthOf(b) - depthOf(a),
  );
}

/** A child never stands below its parent, whatever the clocks said when they were taken. */
function childrenFirst(snapshots: Snapshot[]): Snapshot[] {
  const children = new Map<string, Snapshot[]>();
  for (const one of snapshots) {
    if (!one.parent) continue;
    const siblings = children.get(one.parent);
    if (siblings) siblings.push(one);
    else children.set(one.parent, [one]);
  }
  const placed = new Set<string>();
  /** Waiting for their children; what is met again here is a circle. */
  const open = new Set<string>();
  const result: Snapshot[] = [];
  for (const start of snapshots) {
    const stack = [start];
    while (stack.length > 0) {
      const top = stack[stack.length - 1] as Snapshot;
      const waiting = open.has(top.id)
        ? []
        : (children.get(top.id) ?? []).filter((child) => !placed.has(child.id) && !open.has(child.id));
      if (placed.has(top.id) || waiting.length === 0) {
        stack.pop();
        if (!placed.has(top.id)) result.push(top);
        placed.add(top.id);
        continue;
      }
      open.add(top.id);
      stack.push(...waiting.reverse());
    }
  }
  return result;
}

/** Lays the tree out. Parents that are not in the list (damaged records) count as none. */
export function layout(snapshots: Snapshot[], current: string | null): LaneLayout {
  const sorted = childrenFirst(ordered(snapshots));
  const byId = new Map(sorted.map((one) => [one.id, one]));
  const rowOf = new Map(sorted.map((one, index) => [one.id, index + 1]));
  const parentOf = (one: Snapshot): string | null => (one.parent && byId.has(one.parent) ? one.parent : null);

  const main = new Set<string>();
  let at = current;
  while (at && !main.has(at)) {
    const one = byId.get(at);
    if (!one) break;
    main.add(at);
    at = parentOf(one);
  }

  const lane = new Map<string, number>([[NOW, 0]]);
  for (const id of main) lane.set(id, 0);
  /** Rows each further lane is used in, as [first, last]. */
  const used: [number, number][][] = [];
  for (const tip of sorted) {
    if (lane.has(tip.id)) continue;
    const chain: Snapshot[] = [];
    let step: Snapshot | undefined = tip;
    while (step && !lane.has(step.id)) {
      lane.set(step.id, -1);
      chain.push(step);
      const up = parentOf(step);
      step = up ? byId.get(up) : undefined;
    }
    const first = rowOf.get(tip.id) ?? 0;
    const last = chain[chain.length - 1];
    const joint = last ? parentOf(last) : null;
    const end = (joint ? rowOf.get(joint) : rowOf.get(last?.id ?? "")) ?? first;
    let free = 0;
    // Two branches may end in the same row, but not run beside each other in one lane.
    while (used[free]?.some(([from, to]) => from < end && first < to)) free += 1;
    (used[free] ??= []).push([first, end]);
    for (const one of chain) lane.set(one.id, free + 1);
  }

  const level = new Map<string, number>();
  for (const one of [...sorted].reverse()) {
    const up = parentOf(one);
    level.set(one.id, up ? (level.get(up) ?? 0) + 1 : 1);
  }
  const now = current && byId.has(current) ? current : null;
  const rows: LaneRow[] = [
    { id: NOW, snapshot: undefined, parent: now, lane: 0, level: now ? (level.get(now) ?? 0) + 1 : 1 },
    ...sorted.map((one) => ({
      id: one.id,
      snapshot: one,
      parent: parentOf(one),
      lane: Math.min(lane.get(one.id) ?? 0, LANES_SHOWN - 1),
      level: level.get(one.id) ?? 1,
    })),
  ];
  return { rows, lanes: Math.max(...rows.map((row) => row.lane)) + 1 };
}

/** The lines of a row, by its index: found when it is drawn, as most rows of a long tree never are. */
export function segmentsOf(rows: LaneRow[]): (at: number) => Segment[] {
  const index = new Map(rows.map((row, at) => [row.id, at]));
  const edges = rows.flatMap((child, from) => {
    const to = child.parent === null ? undefined : index.get(child.parent);
    const parent = to === undefined ? undefined : rows[to];
    return to === undefined || !parent ? [] : [{ child, from, to, into: parent.lane }];
  });
  const found = new Map<number, Segment[]>();
  return (at) => {
    const known = found.get(at);
    if (known) return known;
    // Branches that share a lane would be drawn over each other.
    const lines = new Map<string, Segment>();
    for (const { child, from, to, into } of edges) {
      if (at < from || at > to) continue;
      const line: Segment = {
        lane: child.lane,
        into: at === to ? into : child.lane,
        from: at === from ? "middle" : "top",
        to: at === to ? "middle" : "bottom",
        dashed: child.id === NOW,
      };
      lines.set(`${line.lane} ${line.into} ${line.from} ${line.to} ${line.dashed}`, line);
    }
    const result = [...lines.values()];
    found.set(at, result);
    return result;
  };
}
