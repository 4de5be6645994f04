import { type SubmitEvent, useState } from "react";
import { Button, Sheet, TextField } from "../../components";
import type { ApiError, Machine } from "../../data";
import { t } from "../../i18n";
import { useMachineActions } from "./use-actions";

interface Props {
  machine: Machine;
  onClose: () => void;
}

/** A new name; a taken or bad one is said under the field. */
export function RenameSheet({ machine, onClose }: Props) {
  const actions = useMachineActions();
  const [name, setName] = useState(machine.name);
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const save = async (event: SubmitEvent) => {
    event.preventDefault();
    const wanted = name.trim();
    if (wanted === machine.name) {
      onClose();
      return;
    }
    setBusy(true);
    try {
      await actions.rename(machine, wanted);
      onClose();
    } catch (failure) {
      setError((failure as ApiError).message);
      setBusy(false);
    }
  };
  const title = t("rename.title", { name: machine.name });
  return (
    <Sheet label={title} title={title} onClose={onClose} width={440}>
      <form onSubmit={(event) => void save(event)} className="sheet-form">
        <div className="sheet-body">
          <TextField
            label={t("rename.name")}
            value={name}
            error={error}
            maxLength={120}
            // The sheet exists to change this one field.
            autoFocus
            onFocus={(event) => event.target.select()}
            onChange={(value) => {
              setName(value);
              setError(undefined);
            }}
          />
        </div>
        <footer className="sheet-foot">
          <span className="grow" />
          <Button size="lg" onPress={onClose}>
            {t("common.cancel")}
          </Button>
          <Button size="lg" variant="primary" type="submit" isPending={busy} unavailable={name.trim() === ""}>
            {t("common.rename")}
          </Button>
        </footer>
      </form>
    </Sheet>
  );
}
