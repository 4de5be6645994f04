import { type Machine, useSnapshots } from "../../data";
import { NotesSheet } from "./notes-sheet";
import { SubtreeSheet } from "./subtree-sheet";

interface Props {
  machine: Machine;
  sheet: { kind: "snapshot-notes" | "delete-subtree"; snapshot: string };
  onClose: () => void;
}

/** The sheets about one snapshot; nothing when it is gone. */
export function SnapshotSheets({ machine, sheet, onClose }: Props) {
  const { data: list } = useSnapshots(machine.id);
  const snapshot = list?.snapshots.find((one) => one.id === sheet.snapshot);
  if (!snapshot) return null;
  if (sheet.kind === "snapshot-notes") return <NotesSheet machine={machine} snapshot={snapshot} onClose={onClose} />;
  return <SubtreeSheet machine={machine} snapshot={snapshot} onClose={onClose} />;
}
