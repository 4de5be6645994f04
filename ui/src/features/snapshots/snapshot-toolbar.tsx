import { Copy, Ellipsis, GitCompare, HardDrive, Pencil, Pin, RotateCcw, StickyNote, Trash2, Unplug } from "lucide-react";
import type { KeyboardEvent } from "react";
import { openSheet } from "../../app/ui-state";
import { Button, IconButton, Menu, type MenuEntry, useRoving } from "../../components";
import { formatBytes, type Machine, type Snapshot } from "../../data";
import { t } from "../../i18n";
import type { SnapshotActions } from "./use-snapshot-actions";

interface Props {
  machine: Machine;
  snapshot: Snapshot;
  actions: SnapshotActions;
  /** Many lanes leave little room. */
  compact: boolean;
  menuOpen: boolean;
  onMenu: (open: boolean) => void;
  onRename: () => void;
  /** Esc: back to the row. */
  onLeave: () => void;
}

function moreItems({ machine, snapshot, actions }: Props): MenuEntry[] {
  const sheet = { machine: machine.id, snapshot: snapshot.id };
  return [
    {
      id: "keep",
      label: t("snapshots.keep"),
      detail: t("snapshots.keepDetail"),
      icon: Pin,
      checked: snapshot.keep,
      onSelect: () => actions.setKeep(machine, snapshot, !snapshot.keep),
    },
    {
      id: "notes",
      label: t("snapshots.editNotes"),
      icon: StickyNote,
      separated: true,
      onSelect: () => openSheet({ kind: "snapshot-notes", ...sheet }),
    },
    {
      id: "compare",
      label: t("snapshots.compare"),
      icon: GitCompare,
      onSelect: () => openSheet({ kind: "compare", machine: machine.id, from: snapshot.id }),
    },
    ...(snapshot.memory
      ? [
          {
            id: "disks",
            label: t("snapshots.restoreDisks"),
            detail: t("snapshots.restoreDisksDetail"),
            icon: HardDrive,
            separated: true,
            onSelect: () => actions.restore(machine, snapshot, { memory: false }),
          },
          {
            id: "drop-memory",
            label: t("snapshots.dropMemory"),
            detail: t("snapshots.dropMemoryDetail", { size: formatBytes(snapshot.memory_size) }),
            icon: Unplug,
            onSelect: () => actions.dropMemory(machine, snapshot),
          },
        ]
      : []),
    {
      id: "subtree",
      label: t("snapshots.subtree"),
      detail: t("snapshots.subtreeDetail"),
      icon: Trash2,
      danger: true,
      separated: true,
      onSelect: () => openSheet({ kind: "delete-subtree", ...sheet }),
    },
  ];
}

/** What can be done with the open snapshot. */
export function SnapshotToolbar(props: Props) {
  const { machine, snapshot, actions, compact, menuOpen, onMenu, onRename, onLeave } = props;
  const onRoving = useRoving("button", "horizontal");
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    if (event.key !== "Escape") onRoving(event);
    else if (!menuOpen) {
      event.stopPropagation();
      onLeave();
    }
  };
  return (
    // The toolbar's own keys; a click in it does not open or close the row.
    <div
      className="snapshot-actions"
      role="toolbar"
      aria-label={t("snapshots.actions", { name: snapshot.name })}
      onClick={(event) => event.stopPropagation()}
      onKeyDown={onKeyDown}
    >
      <Button
        variant="primary"
        icon={RotateCcw}
        isPending={actions.restoring !== undefined}
        onPress={() => actions.restore(machine, snapshot)}
      >
        {t("snapshots.restore")}
      </Button>
      <Button {...(compact ? {} : { icon: Copy })} onPress={() => openSheet({ kind: "clone", machine: machine.id, snapshot: snapshot.id })}>
        {t("snapshots.clone")}
      </Button>
      <span className="snapshot-signs">
        <IconButton icon={Pencil} iconSize={14} small label={t("snapshots.rename")} shortcut="F2" onPress={onRename} />
        <IconButton
          icon={Trash2}
          iconSize={14}
          small
          label={t("snapshots.delete")}
          onPress={() => actions.remove(machine, snapshot)}
        />
        <Menu
          label={t("snapshots.moreActions", { name: snapshot.name })}
          trigger={
            <IconButton
              icon={Ellipsis}
              iconSize={14}
              small
              label={t("snapshots.moreActions", { name: snapshot.name })}
            />
          }
          items={moreItems(props)}
          isOpen={menuOpen}
          onOpenChange={onMenu}
        />
      </span>
    </div>
  );
}
