import { Clamped, Icon } from "../../components";
import { formatBytes, formatMoment, type Machine, type Snapshot } from "../../data";
import { formatList, t } from "../../i18n";
import { usePicture } from "../library/pictures";
import { GuestPicture } from "../library/thumb";
import { Lane, laneColor } from "./lane";
import type { LaneRow, Segment } from "./lanes";
import { type Mark, marksOf, sizeWords } from "./marks";
import { RenameField } from "./rename-field";
import { SnapshotToolbar } from "./snapshot-toolbar";
import { useGroup } from "./use-group";
import type { SnapshotActions } from "./use-snapshot-actions";

/** Least height of a row, where its point is in the middle. In pixels. */
export const ROW_HEIGHT = 64;

interface Props {
  machine: Machine;
  row: LaneRow;
  snapshot: Snapshot;
  lanes: number;
  lines: Segment[];
  /** Place among all rows, from 1, and their number. */
  position: number;
  size: number;
  open: boolean;
  tabbable: boolean;
  renaming: boolean;
  menuOpen: boolean;
  onOpen: () => void;
  onMenu: (open: boolean) => void;
  onRename: (on: boolean) => void;
  /** Puts the focus back on the row. */
  onLeave: () => void;
  actions: SnapshotActions;
}

/** Closed, the first mark has words and the others are signs; open, each has a line. */
function Marks({ marks, lane, open }: { marks: Mark[]; lane: number; open: boolean }) {
  const [first, ...others] = marks;
  if (!first) return null;
  const sign = ({ id, icon }: Mark) => (
    <Icon key={id} icon={icon} size={12} {...(id === "branch" ? { color: laneColor(lane) } : {})} />
  );
  if (open) {
    return marks.map((mark) => (
      <span key={mark.id} className="snapshot-meta snapshot-remark">
        {sign(mark)}
        <Clamped text={mark.words} lines={2} />
      </span>
    ));
  }
  return (
    <span className="snapshot-meta snapshot-remark">
      {sign(first)}
      <span className="trunc">{first.words}</span>
      {others.map(sign)}
    </span>
  );
}

/** One snapshot; open, it has its notes and actions below. */
export function SnapshotItem(props: Props) {
  const { machine, row, snapshot, open, renaming, onOpen, onMenu, onRename, onLeave, actions } = props;
  const picture = usePicture(
    `snapshot:${snapshot.id}`,
    (client) => client.snapshotPicture(machine.id, snapshot.id),
    { live: false, version: "1", enabled: snapshot.screenshot !== null },
  );
  const together = useGroup(machine.id, open ? snapshot.group : null);
  const marks = marksOf(row, snapshot, together);
  const when = formatMoment(snapshot.created_at);
  const words = { when, size: sizeWords(snapshot), marks: formatList(marks.map((mark) => mark.words)) };
  const restoring = actions.restoring === snapshot.id;
  return (
    // Keys are handled once, on the tree.
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events
    <div
      className="snapshot-row inset"
      role="treeitem"
      aria-level={row.level}
      aria-posinset={props.position}
      aria-setsize={props.size}
      aria-selected={open}
      aria-label={snapshot.name}
      aria-description={t(marks.length > 0 ? "snapshots.descriptionMarks" : "snapshots.description", words)}
      tabIndex={props.tabbable ? 0 : -1}
      data-row={row.id}
      onClick={onOpen}
      onContextMenu={(event) => {
        event.preventDefault();
        onOpen();
        onMenu(true);
      }}
    >
      <Lane id={row.id} lane={row.lane} lanes={props.lanes} lines={props.lines} height={ROW_HEIGHT} />
      <span className="snapshot-thumb">
        <GuestPicture picture={picture} crop />
      </span>
      <span className="snapshot-text">
        {renaming ? (
          <RenameField
            machine={machine}
            snapshot={snapshot}
            actions={actions}
            onDone={() => {
              onRename(false);
              onLeave();
            }}
          />
        ) : (
          <Clamped text={snapshot.name} lines={2} className="medium" />
        )}
        <span className="snapshot-meta num">
          {restoring ? t("snapshots.restoring") : t("snapshots.meta", { when, size: formatBytes(snapshot.size) })}
        </span>
        {open && snapshot.memory_size > 0 ? <span className="snapshot-meta num">{words.size}</span> : null}
        <Marks marks={marks} lane={row.lane} open={open} />
      </span>
      {open ? (
        <div className="snapshot-more">
          {snapshot.notes ? <p className="snapshot-notes t12">{snapshot.notes}</p> : null}
          <SnapshotToolbar
            machine={machine}
            snapshot={snapshot}
            actions={actions}
            compact={props.lanes > 2}
            menuOpen={props.menuOpen}
            onMenu={onMenu}
            onRename={() => onRename(true)}
            onLeave={onLeave}
          />
        </div>
      ) : null}
    </div>
  );
}
