import { useMachines } from "../data";
import { PaletteSheet } from "../features/palette/palette-sheet";
import { DiscardStateSheet } from "../features/machine/discard-state-sheet";
import { ForceOffSheet } from "../features/machine/force-off-sheet";
import { RenameSheet } from "../features/machine/rename-sheet";
import { TagsSheet } from "../features/machine/tags-sheet";
import { ShortcutsSheet } from "../features/shortcuts/shortcuts-sheet";
import { SnapshotSheets } from "../features/snapshots/sheets";
import { TakeSnapshotSheet } from "../features/snapshots/take-sheet";
import {
  AddDiskSheet,
  BackupSheet,
  CloneSheet,
  CompareSheet,
  ExportSheet,
  GrowDiskSheet,
  ImportSheet,
  MoveDiskSheet,
  NewVmSheet,
  RestoreBackupSheet,
  TogetherSheet,
} from "./screens";
import { closeSheet, useUiState } from "./ui-state";

/** The one sheet that is open, if any. */
export function Sheets() {
  const sheet = useUiState((state) => state.sheet);
  const { data: machines } = useMachines();
  if (!sheet) return null;
  const machine = "machine" in sheet ? machines?.find((one) => one.id === sheet.machine) : undefined;
  switch (sheet.kind) {
    case "new-vm":
      return (
        <NewVmSheet
          onClose={closeSheet}
          {...(sheet.template ? { template: sheet.template } : {})}
          {...(sheet.arch ? { arch: sheet.arch } : {})}
        />
      );
    case "import":
      return <ImportSheet paths={sheet.paths} onClose={closeSheet} />;
    case "palette":
      return <PaletteSheet onClose={closeSheet} />;
    case "shortcuts":
      return <ShortcutsSheet onClose={closeSheet} />;
    case "take-snapshot":
      return machine ? <TakeSnapshotSheet machine={machine} onClose={closeSheet} /> : null;
    case "snapshot-notes":
    case "delete-subtree":
      return machine ? <SnapshotSheets machine={machine} sheet={sheet} onClose={closeSheet} /> : null;
    case "clone":
      return machine ? (
        <CloneSheet machine={machine} onClose={closeSheet} {...(sheet.snapshot ? { snapshot: sheet.snapshot } : {})} />
      ) : null;
    case "compare":
      return machine ? (
        <CompareSheet machine={machine} onClose={closeSheet} {...(sheet.from ? { from: sheet.from } : {})} />
      ) : null;
    case "together":
      return (
        <TogetherSheet
          onClose={closeSheet}
          {...(sheet.machines ? { machines: sheet.machines } : {})}
          {...(sheet.tag === undefined ? {} : { tag: sheet.tag })}
        />
      );
    case "add-disk":
      return machine ? <AddDiskSheet machine={machine} onClose={closeSheet} /> : null;
    case "grow-disk":
      return machine ? <GrowDiskSheet machine={machine} disk={sheet.disk} onClose={closeSheet} /> : null;
    case "move-disk":
      return machine ? <MoveDiskSheet machine={machine} disk={sheet.disk} onClose={closeSheet} /> : null;
    case "export":
      return machine ? (
        <ExportSheet
          machine={machine}
          onClose={closeSheet}
          {...(sheet.disk ? { disk: sheet.disk } : {})}
          {...(sheet.snapshot ? { snapshot: sheet.snapshot } : {})}
        />
      ) : null;
    case "backup":
      return machine ? <BackupSheet machine={machine} onClose={closeSheet} /> : null;
    case "restore-backup":
      return <RestoreBackupSheet onClose={closeSheet} {...(sheet.file ? { file: sheet.file } : {})} />;
    case "discard-state":
      return machine ? <DiscardStateSheet machine={machine} onClose={closeSheet} /> : null;
    case "rename":
      return machine ? <RenameSheet machine={machine} onClose={closeSheet} /> : null;
    case "tags":
      return machine ? <TagsSheet machine={machine} onClose={closeSheet} /> : null;
    case "force-off":
      return machine ? <ForceOffSheet machine={machine} onClose={closeSheet} /> : null;
  }
}
