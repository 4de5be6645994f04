import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, memo, useEffect, useMemo, useRef, useState } from "react";
import { setInspector } from "../../app/ui-state";
import { formatMoment, type Machine, type Snapshot } from "../../data";
import { t } from "../../i18n";
import { usePicture } from "../library/pictures";
import { GuestPicture } from "../library/thumb";
import { useShownSnapshots } from "./hidden";
import { reveal, useSelection } from "./selection";
import "./timeline.css";

/** Width of a picture with its gap, in pixels. */
const STEP = 124;
/** Fewer are no timeline. */
const LEAST = 2;

interface FrameProps {
  machine: string;
  snapshot: Snapshot;
  current: boolean;
  selected: boolean;
  tabbable: boolean;
}

const Frame = memo(function Frame({ machine, snapshot, current, selected, tabbable }: FrameProps) {
  const picture = usePicture(`snapshot:${snapshot.id}`, (client) => client.snapshotPicture(machine, snapshot.id), {
    live: false,
    version: "1",
    enabled: snapshot.screenshot !== null,
  });
  const when = formatMoment(snapshot.created_at);
  return (
    <button
      type="button"
      className={selected ? "frame selected" : "frame"}
      aria-label={snapshot.name}
      aria-description={when}
      aria-current={current ? "true" : undefined}
      title={snapshot.name}
      tabIndex={tabbable ? 0 : -1}
      data-frame={snapshot.id}
      onClick={() => {
        setInspector(true);
        reveal(machine, snapshot.id);
      }}
    >
      <span className="frame-picture">
        <GuestPicture picture={picture} crop />
        {current ? <span className="frame-now">{t("timeline.current")}</span> : null}
      </span>
      <span className="trunc t12 medium">{snapshot.name}</span>
      <span className="trunc t11 t3 num">{when}</span>
    </button>
  );
});

/** Where a key takes the focus in the strip; null when it is not one of its keys. */
function moveTo(at: number, last: number, key: string): number | null {
  const [next, previous] = document.documentElement.dir === "rtl" ? ["ArrowLeft", "ArrowRight"] : ["ArrowRight", "ArrowLeft"];
  if (key === next) return Math.min(last, at + 1);
  if (key === previous) return Math.max(0, at - 1);
  if (key === "Home") return 0;
  return key === "End" ? last : null;
}

/** The machine's snapshots as a strip of pictures, oldest first. Only those in view exist. */
export function Timeline({ machine }: { machine: Machine }) {
  const { list } = useShownSnapshots(machine.id);
  const snapshots = useMemo(
    () => [...(list?.snapshots ?? [])].sort((a, b) => Date.parse(a.created_at) - Date.parse(b.created_at)),
    [list],
  );
  if (snapshots.length < LEAST) return null;
  return <Strip machine={machine} snapshots={snapshots} current={list?.current ?? null} />;
}

interface StripProps {
  machine: Machine;
  snapshots: Snapshot[];
  current: string | null;
}

function Strip({ machine, snapshots, current }: StripProps) {
  const selected = useSelection(machine.id)?.snapshot ?? null;
  const scroller = useRef<HTMLDivElement>(null);
  const [focused, setFocused] = useState<string | null>(null);
  const last = snapshots.length - 1;
  const indexOf = (id: string | null) => snapshots.findIndex((one) => one.id === id);
  const start = [focused, selected, current].map(indexOf).find((at) => at >= 0) ?? last;

  const virtual = useVirtualizer({
    horizontal: true,
    count: snapshots.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => STEP,
    getItemKey: (index) => snapshots[index]?.id ?? index,
    overscan: 3,
    rangeExtractor: ({ startIndex, endIndex, overscan, count }) => {
      const from = Math.max(0, startIndex - overscan);
      const to = Math.min(count - 1, endIndex + overscan);
      const shown = Array.from({ length: Math.max(0, to - from + 1) }, (_, at) => from + at);
      // The tab stop exists wherever it is.
      if (start < from || start > to) shown.push(start);
      return shown.sort((a, b) => a - b);
    },
  });

  // The newest are what is looked for: the strip opens at its end, and follows what is selected.
  useEffect(() => {
    virtual.scrollToIndex(selected === null ? last : indexOf(selected), { align: "auto" });
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [machine.id, last, selected]);

  const focusFrame = (index: number) => {
    const id = snapshots[index]?.id;
    if (id === undefined) return;
    setFocused(id);
    virtual.scrollToIndex(index, { align: "auto" });
    const find = () => scroller.current?.querySelector<HTMLElement>(`[data-frame="${CSS.escape(id)}"]`);
    const there = find();
    if (there) there.focus({ preventScroll: true });
    else requestAnimationFrame(() => find()?.focus({ preventScroll: true }));
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const to = moveTo(start, last, event.key);
    if (to === null) return;
    focusFrame(to);
    event.preventDefault();
    event.stopPropagation();
  };

  const shown = virtual.getVirtualItems();
  return (
    <div className="wide">
      <h2 className="sec timeline-title">{t("timeline.title")}</h2>
      <div ref={scroller} className="timeline-scroll">
        {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- keys move between its buttons */}
        <ul
          className="timeline"
          aria-label={t("timeline.title")}
          style={{ width: virtual.getTotalSize() }}
          onKeyDown={onKeyDown}
          onFocus={(event) => setFocused((event.target as HTMLElement).dataset.frame ?? null)}
          onBlur={(event) => {
            if (!event.currentTarget.contains(event.relatedTarget)) setFocused(null);
          }}
        >
          {shown.map((item, at) => {
            const snapshot = snapshots[item.index];
            if (!snapshot) return null;
            return (
              <li
                key={snapshot.id}
                className="timeline-place"
                style={{ marginInlineStart: item.start - (shown[at - 1]?.end ?? 0) }}
                aria-posinset={item.index + 1}
                aria-setsize={snapshots.length}
              >
                <Frame
                  machine={machine.id}
                  snapshot={snapshot}
                  current={snapshot.id === current}
                  selected={snapshot.id === selected}
                  tabbable={item.index === start}
                />
              </li>
            );
          })}
        </ul>
      </div>
    </div>
  );
}
