/** What the palette offers: verbs on the selected machine, its snapshots, other machines, the rest. */
import {
  Activity,
  Archive,
  ArchiveRestore,
  Camera,
  Clock,
  Copy,
  CopyPlus,
  Download,
  Eraser,
  FolderOpen,
  GitCompare,
  HardDrive,
  Keyboard,
  type LucideIcon,
  Maximize,
  Monitor,
  PackageOpen,
  PanelRight,
  Pause,
  Pencil,
  Play,
  Plus,
  Power,
  PowerOff,
  RotateCw,
  Save,
  Settings,
  Stethoscope,
  Tags,
  TextCursorInput,
  Trash2,
} from "lucide-react";
import { keyLabel } from "../../app/keys";
import { navigate, type Section } from "../../app/navigation";
import { isNarrow, openSheet, setInspector, uiState } from "../../app/ui-state";
import { formatMoment, type Machine, type Snapshot } from "../../data";
import { t, type MessageKey } from "../../i18n";
import { allTags, isActive } from "../library/tree-model";
import type { MachineActions } from "../machine/use-actions";
import type { SnapshotActions } from "../snapshots/use-snapshot-actions";
import { candidates } from "../together/candidates";

export interface Command {
  id: string;
  group: string;
  label: string;
  detail?: string;
  /** Further words that find it. */
  keywords?: string;
  icon: LucideIcon;
  run: () => void;
}

interface Sources {
  machine: Machine | undefined;
  machines: Machine[];
  snapshots: Snapshot[];
  actions: MachineActions;
  snapshotActions: SnapshotActions;
}

/** Machines listed at most; typing finds the others. */
const OTHERS = 400;

function verbs(machine: Machine, actions: MachineActions): Command[] {
  const group = machine.name;
  const list: Command[] = [];
  const add = (id: string, label: string, icon: LucideIcon, run: () => void, detail?: string) =>
    list.push({ id, group, label, icon, run, ...(detail ? { detail } : {}) });
  const { state } = machine;
  if (state === "creating") return list;
  if (state === "stopped" || state === "broken") add("start", t("machine.start"), Play, () => actions.start(machine));
  if (state === "stopped") add("disposable", t("machine.startDisposable"), Eraser, () => actions.startDisposable(machine));
  if (state === "paused" || state === "suspended") {
    add("resume", t("machine.resume"), Play, () => actions.resume(machine));
  }
  if (isActive(machine)) {
    add(
      "display",
      t("palette.openDisplay"),
      Maximize,
      () => navigate({ page: "display", machine: machine.id }),
      keyLabel("mod+enter"),
    );
  }
  add("snapshot", t("palette.takeSnapshot"), Camera, () => void actions.takeSnapshot(machine), keyLabel("mod+s"));
  add("named", t("palette.takeNamed"), Camera, () => openSheet({ kind: "take-snapshot", machine: machine.id }));
  if (state === "running") add("pause", t("machine.pause"), Pause, () => actions.pause(machine));
  if (state === "running" || state === "paused") {
    add("suspend", t("machine.saveState"), Save, () => actions.suspend(machine));
  }
  if (state === "suspended") {
    add("discard", t("machine.discardState"), Eraser, () => openSheet({ kind: "discard-state", machine: machine.id }));
  }
  if (machine.disposable) add("keep", t("machine.keepChanges"), Save, () => actions.keepChanges(machine));
  if (isActive(machine)) {
    add("stop", t("machine.stop"), Power, () => actions.stop(machine));
    add("reset", t("machine.reset"), RotateCw, () => actions.reset(machine));
    add("force", t("palette.forceOff"), PowerOff, () => openSheet({ kind: "force-off", machine: machine.id }));
  }
  const ssh = machine.ways_in.ssh_command;
  if (ssh) add("ssh", t("palette.copySsh"), Copy, () => actions.copy(ssh, t("ways.sshCommand")));
  add(
    "edit",
    t("machine.edit"),
    Pencil,
    () => navigate({ page: "edit", machine: machine.id }),
    keyLabel("mod+e"),
  );
  add("clone", t("machine.clone"), CopyPlus, () => openSheet({ kind: "clone", machine: machine.id }));
  add("disks", t("palette.disks"), HardDrive, () => navigate({ page: "disks", machine: machine.id }));
  add("add-disk", t("palette.addDisk"), HardDrive, () => openSheet({ kind: "add-disk", machine: machine.id }));
  const [first] = machine.disks;
  if (first) {
    add("browse", t("palette.browse"), FolderOpen, () =>
      navigate({ page: "files", machine: machine.id, tab: first.id }),
    );
  }
  add("export", t("machine.export"), PackageOpen, () => openSheet({ kind: "export", machine: machine.id }));
  add("backup", t("machine.backup"), Archive, () => openSheet({ kind: "backup", machine: machine.id }));
  if (machine.snapshots > 0) {
    add("compare", t("palette.compare"), GitCompare, () => openSheet({ kind: "compare", machine: machine.id }));
  }
  add("rename", t("palette.rename"), TextCursorInput, () => openSheet({ kind: "rename", machine: machine.id }));
  add("tags", t("palette.tags"), Tags, () => openSheet({ kind: "tags", machine: machine.id }));
  if (!isActive(machine)) add("trash", t("machine.moveToTrash"), Trash2, () => actions.trash(machine));
  return list;
}

const SECTIONS: [Section, MessageKey, LucideIcon, string?][] = [
  ["activity", "shell.activity", Activity],
  ["doctor", "shell.doctor", Stethoscope],
  ["space", "space.title", HardDrive],
  ["trash", "shell.trash", Trash2],
  ["settings", "shell.settings", Settings, "mod+comma"],
];

function elsewhere({ machine, machines }: Sources): Command[] {
  const group = t("palette.elsewhere");
  const running = machines.filter((one) => one.state === "running");
  const list: Command[] = [
    {
      id: "new",
      group,
      label: t("shell.newVm"),
      icon: Plus,
      detail: keyLabel("mod+n"),
      run: () => openSheet({ kind: "new-vm" }),
    },
    { id: "import", group, label: t("palette.import"), icon: Download, run: () => openSheet({ kind: "import", paths: [] }) },
    {
      id: "restore-backup",
      group,
      label: t("palette.restoreBackup"),
      icon: ArchiveRestore,
      run: () => openSheet({ kind: "restore-backup" }),
    },
  ];
  if (running.length > 1) {
    list.push({
      id: "snapshot-all",
      group,
      label: t("palette.snapshotAll"),
      icon: Camera,
      detail: t("palette.machineCount", { count: running.length }),
      run: () => openSheet({ kind: "together" }),
    });
  }
  for (const tag of allTags(machines)) {
    const count = candidates(machines, { tag }).length;
    if (count < 2) continue;
    list.push({
      id: `snapshot-tag:${tag}`,
      group,
      label: t("palette.snapshotTag", { tag }),
      icon: Camera,
      detail: t("palette.machineCount", { count }),
      run: () => openSheet({ kind: "together", tag }),
    });
  }
  if (machine) {
    list.push({
      id: "inspector",
      group,
      label: t("palette.inspector"),
      icon: PanelRight,
      detail: keyLabel("mod+shift+s"),
      run: () => {
        const { inspector, inspectorOverlay } = uiState();
        setInspector(!(isNarrow() ? inspectorOverlay : inspector));
      },
    });
  }
  for (const [page, label, icon, shortcut] of SECTIONS) {
    list.push({
      id: page,
      group,
      label: t(label),
      icon,
      ...(shortcut ? { detail: keyLabel(shortcut) } : {}),
      run: () => navigate({ page }),
    });
  }
  list.push({
    id: "shortcuts",
    group,
    label: t("palette.shortcuts"),
    icon: Keyboard,
    detail: keyLabel("slash"),
    run: () => openSheet({ kind: "shortcuts" }),
  });
  return list;
}

/** All commands, in the order they are shown. */
export function commands(sources: Sources): Command[] {
  const { machine, machines, snapshots, snapshotActions } = sources;
  const others = machines.filter((one) => one.id !== machine?.id).slice(0, OTHERS);
  return [
    ...(machine ? verbs(machine, sources.actions) : []),
    ...(machine
      ? [...snapshots].reverse().map((snapshot) => ({
          id: `snapshot:${snapshot.id}`,
          group: t("palette.snapshots"),
          label: t("palette.restore", { name: snapshot.name }),
          detail: t("palette.restoreDetail", { when: formatMoment(snapshot.created_at), machine: machine.name }),
          keywords: t("palette.snapshots"),
          icon: Clock,
          run: () => snapshotActions.restore(machine, snapshot),
        }))
      : []),
    ...elsewhere(sources),
    ...others.map((one) => ({
      id: `machine:${one.id}`,
      group: t("palette.machines"),
      label: one.name,
      detail: one.system ?? "",
      icon: Monitor,
      run: () => navigate({ page: "machine", machine: one.id }),
    })),
  ];
}
