import { type KeyboardEvent, useState } from "react";
import type { Machine, Snapshot } from "../../data";
import { t } from "../../i18n";
import type { SnapshotActions } from "./use-snapshot-actions";

interface Props {
  machine: Machine;
  snapshot: Snapshot;
  actions: SnapshotActions;
  onDone: () => void;
}

/** The name as a field: Enter keeps it, Esc does not. */
export function RenameField({ machine, snapshot, actions, onDone }: Props) {
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
