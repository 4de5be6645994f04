import { type FocusEvent, type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import type { Machine } from "../../data";
import { t } from "../../i18n";
import { durationText, useNow } from "../library/status-line";
import { isActive } from "../library/tree-model";
import { Lane } from "./lane";
import { type LaneLayout, type LaneRow, NOW, segments } from "./lanes";
import { SnapshotItem } from "./snapshot-item";
import { useSnapshotActions } from "./use-snapshot-actions";

const NOW_HEIGHT = 44;

/** What “Now” is, compared to the snapshot it grew from. */
function nowText(machine: Machine, rows: LaneRow[], now: number): string {
  const current = rows.find((row) => row.id === rows[0]?.parent)?.snapshot;
  if (!current) return t("snapshots.nowFirst");
  if (!isActive(machine)) return t("snapshots.nowOff");
  const newest = rows[1]?.snapshot;
  if (newest && newest.id !== current.id && newest.automatic) return t("snapshots.nowRestored");
  const since = now - Date.parse(current.created_at);
  return since < 60_000 ? t("snapshots.nowJust") : t("snapshots.nowAfter", { duration: durationText(since) });
}

interface Props {
  machine: Machine;
  tree: LaneLayout;
}

/** The tree: one tab stop, arrows move, Enter or a click opens a row with its actions, Left goes to the parent. */
export function SnapshotTree({ machine, tree }: Props) {
  const { rows, lanes } = tree;
  const lines = useMemo(() => segments(rows), [rows]);
  const now = useNow();
  const actions = useSnapshotActions();
  const box = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState<string | null>(null);
  const [focused, setFocused] = useState<string>(NOW);
  const [renaming, setRenaming] = useState<string | null>(null);
  const known = rows.some((row) => row.id === focused) ? focused : NOW;

  useEffect(() => {
    setOpen(null);
    setFocused(NOW);
  }, [machine.id]);

  const focus = (row: LaneRow | undefined) => {
    if (!row) return;
    setFocused(row.id);
    box.current?.querySelector<HTMLElement>(`[data-row="${CSS.escape(row.id)}"]`)?.focus();
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if (target.getAttribute("role") !== "treeitem" || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = rows.findIndex((row) => row.id === known);
    const row = rows[at];
    if (!row) return;
    switch (event.key) {
      case "ArrowDown":
        focus(rows[Math.min(rows.length - 1, at + 1)]);
        break;
      case "ArrowUp":
        focus(rows[Math.max(0, at - 1)]);
        break;
      case "Home":
        focus(rows[0]);
        break;
      case "End":
        focus(rows[rows.length - 1]);
        break;
      case "ArrowLeft":
        if (open === row.id) setOpen(null);
        else focus(rows.find((other) => other.id === row.parent));
        break;
      case "ArrowRight":
      case "Enter":
      case " ":
        if (row.snapshot && open !== row.id) setOpen(row.id);
        else if (row.snapshot && event.key === "ArrowRight") {
          box.current?.querySelector<HTMLElement>("[role=toolbar] button")?.focus();
        } else if (row.snapshot && event.key !== "ArrowRight") setOpen(null);
        break;
      case "F2":
        if (row.snapshot) setRenaming(row.id);
        break;
      case "Delete":
        if (row.snapshot) actions.remove(machine, row.snapshot);
        break;
      case "Escape":
        if (open === null) return;
        setOpen(null);
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  const onFocus = (event: FocusEvent) => {
    const id = (event.target as HTMLElement).dataset.row;
    if (id) setFocused(id);
  };

  return (
    <div className="scroll snapshot-scroll">
      {/* eslint-disable-next-line jsx-a11y/interactive-supports-focus -- its items take the focus */}
      <div ref={box} role="tree" aria-label={t("snapshots.title")} onKeyDown={onKeyDown} onFocus={onFocus}>
        {rows.map((row, index) =>
          row.snapshot ? (
            <SnapshotItem
              key={row.id}
              machine={machine}
              row={row}
              snapshot={row.snapshot}
              lanes={lanes}
              lines={lines[index] ?? []}
              open={open === row.id}
              tabbable={known === row.id}
              renaming={renaming === row.id}
              onOpen={() => {
                setOpen(row.id);
                setFocused(row.id);
              }}
              onRename={(on) => setRenaming(on ? row.id : null)}
              onLeave={() => focus(row)}
              actions={actions}
            />
          ) : (
            <div
              key={row.id}
              className="snapshot now inset"
              role="treeitem"
              aria-level={row.level}
              aria-label={t("snapshots.now")}
              aria-current="true"
              aria-selected={false}
              tabIndex={known === NOW ? 0 : -1}
              data-row={NOW}
            >
              <Lane id={row.id} lane={row.lane} lanes={lanes} lines={lines[index] ?? []} height={NOW_HEIGHT} />
              <span className="trunc">
                <span className="medium accent-text">{t("snapshots.now")}</span>{" "}
                <span className="snapshot-meta">{nowText(machine, rows, now)}</span>
              </span>
            </div>
          ),
        )}
      </div>
    </div>
  );
}
