import { type SubmitEvent, useState } from "react";
import { Button, SettingRow, Sheet, Switch, TextField } from "../../components";
import { formatBytes, type Machine, useTakeSnapshot } from "../../data";
import { toast } from "../../components";
import { t } from "../../i18n";

interface Props {
  machine: Machine;
  onClose: () => void;
}

/** A snapshot with a name, and the choice to leave the running state out. */
export function TakeSnapshotSheet({ machine, onClose }: Props) {
  const take = useTakeSnapshot();
  const [name, setName] = useState("");
  const [memory, setMemory] = useState(true);
  const running = machine.state === "running" || machine.state === "paused";
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const wanted = name.trim();
    take.mutate(
      { id: machine.id, ...(wanted ? { name: wanted } : {}), ...(running ? { memory } : {}) },
      {
        onSuccess: (taken) => {
          toast({ title: t("snapshots.taken", { name: taken.name }), key: `snapshot:${machine.id}` });
          onClose();
        },
      },
    );
  };
  return (
    <Sheet label={t("snapshots.take")} title={t("snapshots.take")} onClose={onClose} width={460}>
      <form className="sheet-form" onSubmit={submit}>
        <div className="sheet-body">
          <TextField
            label={t("snapshots.name")}
            value={name}
            onChange={setName}
            maxLength={120}
            // The sheet exists to ask for the name.
            autoFocus
            hint={t("snapshots.nameHint")}
            error={take.error ? take.error.message : undefined}
          />
          {running ? (
            <SettingRow
              title={t("snapshots.memory")}
              detail={t("snapshots.memoryDetail", { size: formatBytes(machine.memory) })}
              control={<Switch label={t("snapshots.memory")} checked={memory} onChange={setMemory} />}
            />
          ) : null}
        </div>
        <footer className="sheet-foot">
          <span className="grow" />
          <Button size="lg" onPress={onClose}>
            {t("common.cancel")}
          </Button>
          <Button size="lg" variant="primary" type="submit" isPending={take.isPending}>
            {t("snapshots.take")}
          </Button>
        </footer>
      </form>
    </Sheet>
  );
}
