import { useVirtualizer } from "@tanstack/react-virtual";
import { Camera, ChevronDown } from "lucide-react";
import { type FocusEvent, type KeyboardEvent, memo, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { currentRoute, navigate, useRoute } from "../../app/navigation";
import { openSheet } from "../../app/ui-state";
import { useRail } from "../../app/use-narrow";
import { ContextMenu, Icon, type MenuEntry, Progress, StateMark } from "../../components";
import { formatPercent, type Machine, useJob } from "../../data";
import { t } from "../../i18n";
import { statusLine, troubled, useNow } from "./status-line";
import { Thumb } from "./thumb";
import { type GroupRow, type MachineRow, moveFocus, type Row, typeAhead } from "./tree-model";
import "./tree.css";

/** Least heights of rows, in pixels: larger text makes them taller. tree.css has the same. */
const GROUP_HEIGHT = 28;
const MACHINE_HEIGHT = 48;
/** Type-ahead forgets after this long, in milliseconds. */
const TYPE_AHEAD = 700;

interface Props {
  rows: Row[];
  onToggle: (group: string, open: boolean) => void;
}

/** Opens a machine; from another page of the same machine it goes back to its own. */
function select(machine: Machine, replace = false): void {
  navigate({ page: "machine", machine: machine.id }, replace);
}

function JobLine({ machine }: { machine: Machine }) {
  const job = useJob(machine.job);
  return (
    // The job's own progress bar, in Activity and on the machine's page, has this name: here it is a picture of it.
    <span className="machine-job" aria-hidden="true">
      <Progress label={job?.title ?? machine.name} value={job?.progress ?? null} />
    </span>
  );
}

function JobPercent({ machine }: { machine: Machine }) {
  const job = useJob(machine.job);
  if (job?.progress === null || job?.progress === undefined) return <StateMark state={machine.state} />;
  return <span className="t3 t11 num machine-percent">{formatPercent(job.progress)}</span>;
}

interface RowProps {
  row: MachineRow;
  now: number;
  selected: boolean;
  tabbable: boolean;
  rail: boolean;
}

/** One machine. Remembered: scrolling moves rows, it does not draw them again. */
const MachineItem = memo(function MachineItem({ row, now, selected, tabbable, rail }: RowProps) {
  const { machine } = row;
  const line = statusLine(machine, now);
  const trouble = troubled(machine);
  const reason = machine.state_reason ?? (machine.disposable ? t("machine.disposable") : line);
  return (
    // Keys are handled once, on the tree.
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events
    <div
      className="machine-row inset"
      role="treeitem"
      aria-level={2}
      aria-posinset={row.position}
      aria-setsize={row.size}
      aria-selected={selected}
      aria-label={machine.name}
      aria-description={reason}
      title={rail ? machine.name : undefined}
      tabIndex={tabbable ? 0 : -1}
      data-row={row.key}
      onClick={() => select(machine)}
      onDoubleClick={() => {
        if (machine.state === "running" || machine.state === "paused") {
          navigate({ page: "display", machine: machine.id });
        }
      }}
    >
      <Thumb machine={machine} />
      <span className="col machine-text">
        <span className="trunc medium">{machine.name}</span>
        {machine.state === "creating" ? (
          <JobLine machine={machine} />
        ) : (
          <span className={`trunc machine-status ${trouble ? "danger-text" : ""}`}>{line}</span>
        )}
      </span>
      {machine.state === "creating" ? <JobPercent machine={machine} /> : <StateMark state={trouble ? "broken" : machine.state} />}
    </div>
  );
});

interface GroupMenuProps {
  group: GroupRow;
  target: Element;
  onClose: () => void;
}

/** What can be done with all machines of a group. */
function GroupMenu({ group, target, onClose }: GroupMenuProps) {
  const { tag } = group;
  const items: MenuEntry[] = [
    ...(tag === null
      ? []
      : [
          {
            id: "snapshot",
            label: t("palette.snapshotTag", { tag }),
            icon: Camera,
            onSelect: () => openSheet({ kind: "together", tag }),
          },
        ]),
    {
      id: "running",
      label: t("palette.snapshotAll"),
      icon: Camera,
      onSelect: () => openSheet({ kind: "together" }),
    },
  ];
  return <ContextMenu label={tag ?? t("shell.untagged")} items={items} target={target} onClose={onClose} />;
}

/**
 * The machines as a tree with one tab stop. Only the rows in view exist, so thousands scroll smoothly; the
 * focused row is kept alive wherever it is.
 */
export function MachineTree({ rows, onToggle }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const route = useRoute();
  const now = useNow();
  const rail = useRail();
  const selectedId = "machine" in route ? route.machine : null;
  const [focused, setFocused] = useState<string | null>(null);
  const typed = useRef({ text: "", at: -Infinity });
  const [asked, setAsked] = useState<{ group: GroupRow; target: Element } | null>(null);

  const selectedIndex = useMemo(() => rows.findIndex((row) => row.key === selectedId), [rows, selectedId]);
  const focusedIndex = useMemo(() => rows.findIndex((row) => row.key === focused), [rows, focused]);
  const tabbable = focusedIndex >= 0 ? focusedIndex : Math.max(0, selectedIndex);

  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => (rows[index]?.kind === "group" ? GROUP_HEIGHT : MACHINE_HEIGHT),
    getItemKey: (index) => rows[index]?.key ?? index,
    overscan: 6,
    rangeExtractor: useCallback(
      (range: { startIndex: number; endIndex: number; overscan: number; count: number }) => {
        const from = Math.max(0, range.startIndex - range.overscan);
        const to = Math.min(range.count - 1, range.endIndex + range.overscan);
        const shown = Array.from({ length: Math.max(0, to - from + 1) }, (_, at) => from + at);
        if (tabbable < range.count && (tabbable < from || tabbable > to)) shown.push(tabbable);
        return shown.sort((a, b) => a - b);
      },
      [tabbable],
    ),
  });

  useEffect(() => {
    if (selectedIndex >= 0) virtual.scrollToIndex(selectedIndex, { align: "auto" });
    // Only when another machine is selected, not when the list changes around it.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [selectedId]);

  const focusRow = (index: number) => {
    const row = rows[index];
    if (!row) return;
    setFocused(row.key);
    virtual.scrollToIndex(index, { align: "auto" });
    const find = () => scroller.current?.querySelector<HTMLElement>(`[data-row="${CSS.escape(row.key)}"]`);
    const there = find();
    // A row out of view exists only after the next frame.
    if (there) there.focus({ preventScroll: true });
    else requestAnimationFrame(() => find()?.focus({ preventScroll: true }));
  };

  const onGroupKey = (index: number, key: string): boolean => {
    const row = rows[index];
    if (!row) return false;
    const [forward, back] =
      document.documentElement.dir === "rtl" ? ["ArrowLeft", "ArrowRight"] : ["ArrowRight", "ArrowLeft"];
    if (row.kind === "group") {
      if (key === forward) {
        if (row.open) focusRow(Math.min(rows.length - 1, index + 1));
        else onToggle(row.key, true);
        return true;
      }
      if (key === back || key === "Enter" || key === " ") {
        onToggle(row.key, key === back ? false : !row.open);
        return true;
      }
      return false;
    }
    if (key === back) {
      focusRow(rows.findIndex((other) => other.key === `group:${row.group}`));
      return true;
    }
    return key === forward;
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const index = focusedIndex >= 0 ? focusedIndex : tabbable;
    const row = rows[index];
    if (!row) return;
    const to = moveFocus(rows, index, event.key);
    if (to !== null) focusRow(to);
    else if (onGroupKey(index, event.key)) {
      // Handled there.
    } else if (row.kind === "machine" && event.key === "Enter") {
      const current = currentRoute();
      const here = current.page === "machine" && current.machine === row.machine.id;
      if (here && row.machine.state === "running") navigate({ page: "display", machine: row.machine.id });
      else select(row.machine);
    } else if (row.kind === "machine" && event.key === " " && selectedId !== row.machine.id) select(row.machine);
    else if (row.kind === "machine" && event.key === "F2") openSheet({ kind: "rename", machine: row.machine.id });
    else if (event.key.length === 1 && event.key !== " " && event.key !== "?") {
      const again = event.timeStamp - typed.current.at < TYPE_AHEAD;
      typed.current = { text: again ? typed.current.text + event.key : event.key, at: event.timeStamp };
      const found = typeAhead(rows, index, typed.current.text);
      if (found !== null) focusRow(found);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const onFocus = (event: FocusEvent) => {
    const key = (event.target as HTMLElement).dataset.row;
    if (key) setFocused(key);
  };
  const onBlur = (event: FocusEvent) => {
    if (!event.currentTarget.contains(event.relatedTarget)) setFocused(null);
  };

  return (
    <div ref={scroller} className="scroll tree-scroll">
      {/* eslint-disable-next-line jsx-a11y/interactive-supports-focus -- its items take the focus */}
      <div
        role="tree"
        aria-label={t("shell.machines")}
        className="machine-tree"
        style={{ height: virtual.getTotalSize() }}
        onKeyDown={onKeyDown}
        onFocus={onFocus}
        onBlur={onBlur}
      >
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index];
          if (!row) return null;
          const place = { transform: `translateY(${item.start}px)` };
          return (
            <div
              key={row.key}
              ref={virtual.measureElement}
              data-index={item.index}
              className="tree-place"
              style={place}
              role="presentation"
            >
              {row.kind === "group" ? (
                // eslint-disable-next-line jsx-a11y/click-events-have-key-events -- keys are on the tree
                <div
                  className="group-row inset"
                  role="treeitem"
                  aria-level={1}
                  aria-posinset={row.position}
                  aria-setsize={row.size}
                  aria-expanded={row.open}
                  aria-selected={false}
                  aria-label={row.tag ?? t("shell.untagged")}
                  tabIndex={item.index === tabbable ? 0 : -1}
                  data-row={row.key}
                  onClick={() => onToggle(row.key, !row.open)}
                  onContextMenu={(event) => {
                    event.preventDefault();
                    setAsked({ group: row, target: event.currentTarget });
                  }}
                >
                  <Icon icon={ChevronDown} size={12} className="group-fold" />
                  <span className="grow trunc">{row.tag ?? t("shell.untagged")}</span>
                  {row.open ? null : <span className="num">{row.count}</span>}
                </div>
              ) : (
                <MachineItem
                  row={row}
                  now={now}
                  selected={row.key === selectedId}
                  tabbable={item.index === tabbable}
                  rail={rail}
                />
              )}
            </div>
          );
        })}
      </div>
      {asked ? <GroupMenu group={asked.group} target={asked.target} onClose={() => setAsked(null)} /> : null}
    </div>
  );
}
