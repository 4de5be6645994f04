import { GitBranch, Pencil, RotateCcw, Trash2, Undo2, Zap } from "lucide-react";
import { type KeyboardEvent, useState } from "react";
import { Button, Icon, IconButton, useRoving } from "../../components";
import { formatBytes, formatMoment, type Machine, type Snapshot } from "../../data";
import { t } from "../../i18n";
import { usePicture } from "../library/pictures";
import { GuestPicture } from "../library/thumb";
import { Lane, laneColor } from "./lane";
import type { LaneRow, Segment } from "./lanes";
import type { SnapshotActions } from "./use-snapshot-actions";

const ROW_HEIGHT = 64;
const ACTIONS_HEIGHT = 44;

interface Props {
  machine: Machine;
  row: LaneRow;
  snapshot: Snapshot;
  lanes: number;
  lines: Segment[];
  open: boolean;
  tabbable: boolean;
  renaming: boolean;
  onOpen: () => void;
  onRename: (on: boolean) => void;
  /** Puts the focus back on the row. */
  onLeave: () => void;
  actions: SnapshotActions;
}

/** What is special about a snapshot, in one line. */
function Remark({ row, snapshot }: { row: LaneRow; snapshot: Snapshot }) {
  if (snapshot.automatic) {
    return (
      <span className="snapshot-meta snapshot-remark trunc">
        <Icon icon={Undo2} size={12} />
        {t("snapshots.auto")}
      </span>
    );
  }
  if (snapshot.memory) {
    return (
      <span className="snapshot-meta snapshot-remark trunc">
        <Icon icon={Zap} size={12} />
        {t("snapshots.live")}
      </span>
    );
  }
  if (row.lane > 0) {
    return (
      <span className="snapshot-meta snapshot-remark trunc">
        <Icon icon={GitBranch} size={12} color={laneColor(row.lane)} />
        {t("snapshots.branch")}
      </span>
    );
  }
  return null;
}

interface RenameProps {
  machine: Machine;
  snapshot: Snapshot;
  actions: SnapshotActions;
  onDone: () => void;
}

/** The name as a field: Enter keeps it, Esc does not. */
function RenameField({ machine, snapshot, actions, onDone }: RenameProps) {
  const [name, setName] = useState(snapshot.name);
  const save = () => {
    const wanted = name.trim();
    onDone();
    if (wanted && wanted !== snapshot.name) actions.rename(machine, snapshot, wanted).catch(() => {});
  };
  const onKeyDown = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key === "Enter") save();
    if (event.key === "Escape") onDone();
  };
  return (
    <input
      className="field snapshot-rename"
      aria-label={t("snapshots.newName", { name: snapshot.name })}
      value={name}
      maxLength={120}
      spellCheck={false}
      // Asked for by “Rename”.
      autoFocus
      onFocus={(event) => event.target.select()}
      onChange={(event) => setName(event.target.value)}
      onKeyDown={onKeyDown}
      onBlur={save}
      onClick={(event) => event.stopPropagation()}
    />
  );
}

/** One snapshot; open, it has its actions below. */
export function SnapshotItem(props: Props) {
  const { machine, row, snapshot, lanes, lines, open, tabbable, renaming, onOpen, onRename, onLeave, actions } = props;
  const picture = usePicture(
    `snapshot:${snapshot.id}`,
    (client) => client.snapshotPicture(machine.id, snapshot.id),
    { live: false, version: "1", enabled: snapshot.screenshot !== null },
  );
  const onToolbarKey = useRoving("button", "horizontal");
  const when = formatMoment(snapshot.created_at);
  const size = formatBytes(snapshot.size);
  const restoring = actions.restoring === snapshot.id;
  return (
    // Keys are handled once, on the tree.
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events
    <div
      className="snapshot-row inset"
      role="treeitem"
      aria-level={row.level}
      aria-selected={open}
      aria-label={snapshot.name}
      aria-description={t("snapshots.description", { when, size })}
      tabIndex={tabbable ? 0 : -1}
      data-row={row.id}
      onClick={onOpen}
    >
      <div className="snapshot">
        <Lane id={row.id} lane={row.lane} lanes={lanes} lines={lines} height={ROW_HEIGHT} />
        <span className="snapshot-thumb">
          <GuestPicture picture={picture} crop />
        </span>
        <span className="col">
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
            <span className="trunc medium" title={snapshot.name}>
              {snapshot.name}
            </span>
          )}
          <span className="snapshot-meta trunc num">
            {restoring ? t("snapshots.restoring") : t("snapshots.meta", { when, size })}
          </span>
          <Remark row={row} snapshot={snapshot} />
        </span>
      </div>
      {open ? (
        <div className="snapshot-actions">
          <Lane id={row.id} lane={row.lane} lanes={lanes} lines={lines} height={ACTIONS_HEIGHT} through />
          <div
            role="toolbar"
            aria-label={t("snapshots.actions", { name: snapshot.name })}
            onClick={(event) => event.stopPropagation()}
            onKeyDown={(event) => {
              if (event.key === "Escape") {
                event.stopPropagation();
                onLeave();
              } else onToolbarKey(event);
            }}
          >
            <Button
              variant="primary"
              icon={RotateCcw}
              isPending={actions.restoring !== undefined}
              onPress={() => actions.restore(machine, snapshot)}
            >
              {t("snapshots.restore")}
            </Button>
            <span className="grow" />
            <IconButton icon={Pencil} label={t("snapshots.rename")} shortcut="F2" onPress={() => onRename(true)} />
            <IconButton
              icon={Trash2}
              label={t("snapshots.delete")}
              onPress={() => actions.remove(machine, snapshot)}
            />
          </div>
        </div>
      ) : null}
    </div>
  );
}
