import { useVirtualizer } from "@tanstack/react-virtual";
import { Check, File, FileQuestion, FileSymlink, Folder, type LucideIcon } from "lucide-react";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { Icon } from "../../components";
import { type EntryKind, type FileEntry, formatBytes, formatMoment } from "../../data";
import { t } from "../../i18n";
import { typeAhead } from "./entries";

const ICONS: Record<EntryKind, LucideIcon> = { folder: Folder, file: File, link: FileSymlink, other: FileQuestion };
const ROW_HEIGHT = 36;
/** It lies over the first rows when scrolled. */
const HEADER_HEIGHT = 36;
/** Rows that Page Up and Page Down go by. */
const PAGE = 12;
/** How long letters count as one word, in milliseconds. */
const TYPING = 800;

interface Props {
  entries: FileEntry[];
  /** Names that are to be copied. */
  selected: ReadonlySet<string>;
  /** Where the focus begins: the folder one came from. */
  start: string | null;
  onSelect: (names: ReadonlySet<string>) => void;
  onOpen: (entry: FileEntry) => void;
  onUp: () => void;
  /** The end of the list is in view. */
  onEnd: () => void;
}

/** Entries of a folder: one tab stop; only the rows in view exist. */
export function FileTable({ entries, selected, start, onSelect, onOpen, onUp, onEnd }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState(() => Math.max(0, entries.findIndex((entry) => entry.name === start)));
  const typed = useRef({ text: "", at: 0 });
  const last = entries.length - 1;
  const focused = Math.min(at, Math.max(0, last));
  const virtual = useVirtualizer({
    count: entries.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    scrollPaddingStart: HEADER_HEIGHT,
    overscan: 8,
    rangeExtractor: ({ startIndex, endIndex, overscan, count }) => {
      const from = Math.max(0, startIndex - overscan);
      const to = Math.min(count - 1, endIndex + overscan);
      const shown = Array.from({ length: Math.max(0, to - from + 1) }, (_, step) => from + step);
      // The row with the focus is kept wherever it is.
      if (focused < count && (focused < from || focused > to)) shown.push(focused);
      return shown.sort((a, b) => a - b);
    },
  });
  const rows = virtual.getVirtualItems();
  const end = rows.at(-1)?.index ?? 0;
  useEffect(() => {
    if (end >= entries.length - 1) onEnd();
  }, [end, entries.length, onEnd]);

  const focusRow = (index: number) => {
    setAt(index);
    virtual.scrollToIndex(index, { align: "auto" });
    const find = () => scroller.current?.querySelector<HTMLElement>(`[data-index="${index}"]`);
    const there = find();
    // A row out of view exists only after the next frame.
    if (there) there.focus({ preventScroll: true });
    else requestAnimationFrame(() => find()?.focus({ preventScroll: true }));
  };
  // A folder that was opened by keys has the focus on its first row, or on the folder one came from.
  useEffect(() => {
    if (start !== null) focusRow(focused);
    // Once for each folder: the table is made anew for it.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  const toggle = (entry: FileEntry) => {
    const next = new Set(selected);
    if (!next.delete(entry.name)) next.add(entry.name);
    onSelect(next);
  };
  const moves: Record<string, number> = {
    ArrowDown: focused + 1,
    ArrowUp: focused - 1,
    PageDown: focused + PAGE,
    PageUp: focused - PAGE,
    Home: 0,
    End: last,
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const entry = entries[focused];
    if (!entry || event.altKey) return;
    const mod = event.ctrlKey || event.metaKey;
    const to = moves[event.key];
    if (mod && event.key.toLowerCase() === "a") onSelect(new Set(entries.map((one) => one.name)));
    else if (mod) return;
    else if (to !== undefined) focusRow(Math.min(last, Math.max(0, to)));
    else if (event.key === "Enter") onOpen(entry);
    else if (event.key === "Backspace") onUp();
    else if (event.key === " ") toggle(entry);
    else if (event.key.length === 1) {
      const text = event.timeStamp - typed.current.at > TYPING ? event.key : typed.current.text + event.key;
      typed.current = { text, at: event.timeStamp };
      const found = typeAhead(entries, text, focused);
      if (found >= 0) focusRow(found);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    // eslint-disable-next-line jsx-a11y/interactive-supports-focus -- its rows take the focus
    <div
      className="files-table"
      role="grid"
      aria-label={t("files.table")}
      aria-multiselectable="true"
      aria-rowcount={entries.length + 1}
      onKeyDown={onKeyDown}
    >
      <div ref={scroller} className="scroll files-scroll" role="presentation">
        <div role="row" className="files-row files-header t12 t3 medium" aria-rowindex={1}>
          <span role="columnheader" className="files-name">
            {t("files.name")}
          </span>
          <span role="columnheader" className="files-size">
            {t("files.size")}
          </span>
          <span role="columnheader" className="files-when">
            {t("files.modified")}
          </span>
          <span role="columnheader" className="files-kind">
            {t("files.kind")}
          </span>
        </div>
        <div role="presentation" className="files-all" style={{ height: virtual.getTotalSize() }}>
          {rows.map(({ index, start: top }) => {
            const entry = entries[index];
            if (!entry) return null;
            return (
              // Keys are the grid's.
              // eslint-disable-next-line jsx-a11y/click-events-have-key-events
              <div
                key={entry.name}
                ref={virtual.measureElement}
                data-index={index}
                role="row"
                aria-rowindex={index + 2}
                aria-selected={selected.has(entry.name)}
                aria-label={entry.name}
                tabIndex={index === focused ? 0 : -1}
                className="files-row inset"
                style={{ transform: `translateY(${top}px)` }}
                onFocus={() => setAt(index)}
                onClick={(event) => {
                  if (event.ctrlKey || event.metaKey) toggle(entry);
                  else onSelect(new Set([entry.name]));
                }}
                onDoubleClick={() => onOpen(entry)}
              >
                <span role="gridcell" className="files-name">
                  {/* For the pointer: a tick of its own, so that several can be chosen without a key. */}
                  <span
                    className="files-tick"
                    aria-hidden="true"
                    onClick={(event) => {
                      event.stopPropagation();
                      toggle(entry);
                    }}
                  >
                    {selected.has(entry.name) ? <Icon icon={Check} size={12} /> : null}
                  </span>
                  <Icon icon={ICONS[entry.kind]} className={entry.kind === "folder" ? "accent-text" : "t3"} />
                  <span className="files-word">
                    <span className="medium">{entry.name}</span>
                    {entry.target ? <span className="t3"> → {entry.target}</span> : null}
                  </span>
                </span>
                <span role="gridcell" className="files-size num t2">
                  {entry.kind === "file" ? formatBytes(entry.size) : ""}
                </span>
                <span role="gridcell" className="files-when num t2">
                  {entry.modified ? formatMoment(entry.modified) : ""}
                </span>
                <span role="gridcell" className="files-kind t2">
                  {t(`files.kind.${entry.kind}`)}
                </span>
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}
