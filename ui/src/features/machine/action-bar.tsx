import {
  Archive,
  ChevronDown,
  Code,
  Copy,
  Eraser,
  Ellipsis,
  FolderOpen,
  HardDrive,
  PackageOpen,
  Pause,
  Pencil,
  Play,
  Power,
  PowerOff,
  RotateCw,
  Save,
  Tags,
  TextCursorInput,
  Trash2,
} from "lucide-react";
import { keyLabel } from "../../app/keys";
import { navigate } from "../../app/navigation";
import { openSheet } from "../../app/ui-state";
import { Button, IconButton, Menu, type MenuEntry } from "../../components";
import { type Machine, useClient } from "../../data";
import { t } from "../../i18n";
import { platform } from "../../platform";
import { isActive } from "../library/tree-model";
import { setFailure } from "./failures";
import { type MachineActions, useMachineActions } from "./use-actions";

/** Only a guest that has started has a state worth saving. */
const suspendable = (machine: Machine): boolean => machine.state === "running" || machine.state === "paused";

/** “Start” boots it; the menu beside it has the run that leaves nothing behind. */
function StartButton({ machine, actions }: { machine: Machine; actions: MachineActions }) {
  return (
    <span className="split">
      <Button variant="primary" icon={Play} onPress={() => actions.start(machine)}>
        {t("machine.start")}
      </Button>
      <Menu
        label={t("machine.startOptions")}
        trigger={
          <Button variant="primary" aria-label={t("machine.startOptions")}>
            <ChevronDown size={14} aria-hidden="true" />
          </Button>
        }
        items={[
          {
            id: "disposable",
            label: t("machine.startDisposable"),
            detail: t("machine.startDisposableDetail"),
            icon: Eraser,
            onSelect: () => actions.startDisposable(machine),
          },
        ]}
      />
    </span>
  );
}

/** “Stop” asks the guest; the menu beside it has the other ways. */
export function StopButton({ machine, actions }: { machine: Machine; actions: MachineActions }) {
  return (
    <span className="split">
      <Button icon={Power} onPress={() => actions.stop(machine)}>
        {t("machine.stop")}
      </Button>
      <Menu
        label={t("machine.stopOptions")}
        trigger={
          <Button aria-label={t("machine.stopOptions")}>
            <ChevronDown size={14} aria-hidden="true" />
          </Button>
        }
        items={[
          { id: "stop", label: t("machine.shutDown"), icon: Power, onSelect: () => actions.stop(machine) },
          {
            id: "suspend",
            label: t("machine.saveState"),
            detail: t("machine.saveStateDetail"),
            icon: Save,
            reason: suspendable(machine) ? undefined : t("machine.saveStateOff"),
            onSelect: () => actions.suspend(machine),
          },
          { id: "reset", label: t("machine.reset"), icon: RotateCw, onSelect: () => actions.reset(machine) },
          {
            id: "force",
            label: t("machine.forceOff"),
            icon: PowerOff,
            danger: true,
            separated: true,
            onSelect: () => openSheet({ kind: "force-off", machine: machine.id }),
          },
        ]}
      />
    </span>
  );
}

/** The state's own buttons, exactly one of them primary where something should be done. */
function StateButtons({ machine, actions }: { machine: Machine; actions: MachineActions }) {
  switch (machine.state) {
    case "running":
      return (
        <>
          <Button icon={Pause} onPress={() => actions.pause(machine)}>
            {t("machine.pause")}
          </Button>
          <StopButton machine={machine} actions={actions} />
        </>
      );
    case "paused":
      return (
        <>
          <Button variant="primary" icon={Play} onPress={() => actions.resume(machine)}>
            {t("machine.resume")}
          </Button>
          <StopButton machine={machine} actions={actions} />
        </>
      );
    case "suspended":
      return (
        <Button variant="primary" icon={Play} onPress={() => actions.resume(machine)}>
          {t("machine.resume")}
        </Button>
      );
    case "starting":
    case "stopping":
      return <StopButton machine={machine} actions={actions} />;
    case "creating":
      return null;
    default:
      return <StartButton machine={machine} actions={actions} />;
  }
}

function useMoreItems(machine: Machine, actions: MachineActions): MenuEntry[] {
  const client = useClient();
  const copyCommand = () =>
    client.command(machine.id).then(
      ({ shell }) => actions.copy(shell, t("machine.command")),
      (error: { info: Parameters<typeof setFailure>[1]["error"] }) =>
        setFailure(machine.id, { title: t("machine.commandFailed"), error: error.info }),
    );
  const items: MenuEntry[] = [
    {
      id: "rename",
      label: t("common.rename"),
      icon: TextCursorInput,
      shortcut: "F2",
      onSelect: () => openSheet({ kind: "rename", machine: machine.id }),
    },
    {
      id: "tags",
      label: t("machine.editTags"),
      icon: Tags,
      onSelect: () => openSheet({ kind: "tags", machine: machine.id }),
    },
    {
      id: "clone",
      label: t("machine.clone"),
      icon: Copy,
      onSelect: () => openSheet({ kind: "clone", machine: machine.id }),
    },
    {
      id: "disks",
      label: t("machine.disks"),
      icon: HardDrive,
      separated: true,
      onSelect: () => navigate({ page: "disks", machine: machine.id }),
    },
    {
      id: "export",
      label: t("machine.export"),
      icon: PackageOpen,
      onSelect: () => openSheet({ kind: "export", machine: machine.id }),
    },
    {
      id: "backup",
      label: t("machine.backup"),
      icon: Archive,
      onSelect: () => openSheet({ kind: "backup", machine: machine.id }),
    },
    { id: "command", label: t("machine.copyCommand"), icon: Code, separated: true, onSelect: () => void copyCommand() },
  ];
  if (platform.kind === "tauri") {
    items.push({
      id: "folder",
      label: t("machine.showInFolder"),
      icon: FolderOpen,
      onSelect: () => void platform.showInFolder(machine.folder),
    });
  }
  if (machine.state === "suspended") {
    items.push({
      id: "discard-state",
      label: t("machine.discardState"),
      icon: Eraser,
      danger: true,
      separated: true,
      onSelect: () => openSheet({ kind: "discard-state", machine: machine.id }),
    });
  }
  items.push({
    id: "trash",
    label: t("machine.moveToTrash"),
    icon: Trash2,
    danger: true,
    separated: machine.state !== "suspended",
    shortcut: keyLabel("delete"),
    reason: isActive(machine) ? t("machine.trashRunning") : undefined,
    onSelect: () => actions.trash(machine),
  });
  return items;
}

/** Buttons of the machine's title bar. */
export function ActionBar({ machine }: { machine: Machine }) {
  const actions = useMachineActions();
  const more = useMoreItems(machine, actions);
  return (
    <>
      <StateButtons machine={machine} actions={actions} />
      <IconButton
        icon={Pencil}
        label={t("machine.edit")}
        shortcut={keyLabel("mod+e")}
        onPress={() => navigate({ page: "edit", machine: machine.id })}
      />
      <Menu
        label={t("common.more")}
        trigger={<IconButton icon={Ellipsis} label={t("common.more")} />}
        items={more}
      />
    </>
  );
}
