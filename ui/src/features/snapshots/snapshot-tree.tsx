import { useVirtualizer } from "@tanstack/react-virtual";
import { type FocusEvent, type KeyboardEvent, useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { Machine } from "../../data";
import { t } from "../../i18n";
import { durationText, useNow } from "../library/status-line";
import { isActive } from "../library/tree-model";
import { Lane } from "./lane";
import { type LaneLayout, type LaneRow, NOW, segmentsOf } from "./lanes";
import { select, useSelection } from "./selection";
import { ROW_HEIGHT, SnapshotItem } from "./snapshot-item";
import { useSnapshotActions } from "./use-snapshot-actions";

const NOW_HEIGHT = 44;
/** Rows that Page Up and Page Down go by. */
const PAGE = 10;

/** What “Now” is, compared to the snapshot it grew from. */
function nowText(machine: Machine, rows: LaneRow[], now: number): string {
  const current = rows.find((row) => row.id === rows[0]?.parent)?.snapshot;
  if (!current) return t("snapshots.nowFirst");
  if (!isActive(machine)) return t(machine.state === "suspended" ? "snapshots.nowSaved" : "snapshots.nowOff");
  const newest = rows[1]?.snapshot;
  if (newest && newest.id !== current.id && newest.automatic) return t("snapshots.nowRestored");
  const since = now - Date.parse(current.created_at);
  return since < 60_000 ? t("snapshots.nowJust") : t("snapshots.nowAfter", { duration: durationText(since) });
}

/** Where a key takes the focus in the tree; null when it is not one of a tree's. */
function moveTo(rows: LaneRow[], at: number, key: string): number | null {
  const last = rows.length - 1;
  const steps: Record<string, number> = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    PageDown: at + PAGE,
    PageUp: at - PAGE,
    Home: 0,
    End: last,
  };
  const to = steps[key];
  return to === undefined ? null : Math.min(last, Math.max(0, to));
}

interface Props {
  machine: Machine;
  tree: LaneLayout;
}

/**
 * The tree: one tab stop, arrows move, Enter or a click opens a row with its actions, Left goes to the parent. Only
 * the rows in view exist; the one with the focus is kept wherever it is.
 */
export function SnapshotTree({ machine, tree }: Props) {
  const { rows, lanes } = tree;
  const lines = useMemo(() => segmentsOf(rows), [rows]);
  const now = useNow();
  const actions = useSnapshotActions();
  const scroller = useRef<HTMLDivElement>(null);
  const selection = useSelection(machine.id);
  const open = selection?.snapshot ?? null;
  const [focused, setFocused] = useState<string>(NOW);
  const [renaming, setRenaming] = useState<string | null>(null);
  const [menu, setMenu] = useState<string | null>(null);
  const focusedAt = Math.max(
    0,
    rows.findIndex((row) => row.id === focused),
  );

  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => (rows[index]?.snapshot ? ROW_HEIGHT : NOW_HEIGHT),
    getItemKey: (index) => rows[index]?.id ?? index,
    overscan: 6,
    rangeExtractor: useCallback(
      (range: { startIndex: number; endIndex: number; overscan: number; count: number }) => {
        const from = Math.max(0, range.startIndex - range.overscan);
        const to = Math.min(range.count - 1, range.endIndex + range.overscan);
        const shown = Array.from({ length: Math.max(0, to - from + 1) }, (_, at) => from + at);
        if (focusedAt < range.count && (focusedAt < from || focusedAt > to)) shown.push(focusedAt);
        return shown.sort((a, b) => a - b);
      },
      [focusedAt],
    ),
  });

  useEffect(() => setFocused(NOW), [machine.id]);

  const focusRow = (index: number) => {
    const row = rows[index];
    if (!row) return;
    setFocused(row.id);
    virtual.scrollToIndex(index, { align: "auto" });
    const find = () => scroller.current?.querySelector<HTMLElement>(`[data-row="${CSS.escape(row.id)}"]`);
    const there = find();
    // A row out of view exists only after the next frame.
    if (there) there.focus({ preventScroll: true });
    else requestAnimationFrame(() => find()?.focus({ preventScroll: true }));
  };
  const focusId = (id: string | null) => focusRow(rows.findIndex((row) => row.id === id));

  const asked = selection?.asked ?? 0;
  useEffect(() => {
    if (asked > 0) focusId(open);
    // Once for each time it is asked for.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [asked]);

  /** Keys that open, close and change the focused row; true when it was one of them. */
  const onRowKey = (row: LaneRow, event: KeyboardEvent): boolean => {
    const { snapshot } = row;
    switch (event.key) {
      case "ArrowLeft":
        if (open === row.id) select(machine.id, null);
        else focusId(row.parent);
        return true;
      case "ArrowRight":
        if (snapshot && open !== row.id) select(machine.id, row.id);
        else scroller.current?.querySelector<HTMLElement>("[role=toolbar] button")?.focus();
        return true;
      case "Enter":
      case " ":
        if (snapshot) select(machine.id, open === row.id ? null : row.id);
        return true;
      case "F2":
        if (snapshot) setRenaming(row.id);
        return true;
      case "Delete":
        if (snapshot) actions.remove(machine, snapshot);
        return true;
      case "Escape":
        if (open === null) return false;
        select(machine.id, null);
        return true;
      default:
        return false;
    }
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if (target.getAttribute("role") !== "treeitem" || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = rows[focusedAt];
    if (!row) return;
    const to = moveTo(rows, focusedAt, event.key);
    if (to !== null) focusRow(to);
    else if (!onRowKey(row, event)) return;
    event.preventDefault();
    event.stopPropagation();
  };

  const onFocus = (event: FocusEvent) => {
    const id = (event.target as HTMLElement).dataset.row;
    if (id) setFocused(id);
  };

  return (
    <div ref={scroller} className="scroll snapshot-scroll">
      {/* eslint-disable-next-line jsx-a11y/interactive-supports-focus -- its items take the focus */}
      <div
        role="tree"
        aria-label={t("snapshots.title")}
        className="snapshot-tree"
        style={{ height: virtual.getTotalSize() }}
        onKeyDown={onKeyDown}
        onFocus={onFocus}
      >
        {virtual.getVirtualItems().map(({ index, start }) => {
          const row = rows[index];
          if (!row) return null;
          const tabbable = index === focusedAt;
          return (
            <div
              key={row.id}
              ref={virtual.measureElement}
              data-index={index}
              className="snapshot-place"
              style={{ transform: `translateY(${start}px)` }}
              role="presentation"
            >
              {row.snapshot ? (
                <SnapshotItem
                  machine={machine}
                  row={row}
                  snapshot={row.snapshot}
                  lanes={lanes}
                  lines={lines(index)}
                  position={index + 1}
                  size={rows.length}
                  open={open === row.id}
                  tabbable={tabbable}
                  renaming={renaming === row.id}
                  menuOpen={menu === row.id}
                  onOpen={() => {
                    select(machine.id, row.id);
                    setFocused(row.id);
                  }}
                  onMenu={(on) => setMenu(on ? row.id : null)}
                  onRename={(on) => setRenaming(on ? row.id : null)}
                  onLeave={() => focusRow(index)}
                  actions={actions}
                />
              ) : (
                <div
                  className="snapshot-now inset"
                  role="treeitem"
                  aria-level={row.level}
                  aria-posinset={1}
                  aria-setsize={rows.length}
                  aria-label={t("snapshots.now")}
                  aria-current="true"
                  aria-selected={false}
                  tabIndex={tabbable ? 0 : -1}
                  data-row={NOW}
                >
                  <Lane id={row.id} lane={row.lane} lanes={lanes} lines={lines(index)} height={NOW_HEIGHT} />
                  <span className="snapshot-now-text">
                    <span className="medium accent-text">{t("snapshots.now")}</span>{" "}
                    <span className="snapshot-meta">{nowText(machine, rows, now)}</span>
                  </span>
                </div>
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}
