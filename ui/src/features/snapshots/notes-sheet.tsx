import { type SubmitEvent, useId, useState } from "react";
import { Button, errorText, Sheet, toast } from "../../components";
import { type Machine, type Snapshot, useChangeSnapshot } from "../../data";
import { t } from "../../i18n";

/** As many as the service takes. */
const AT_MOST = 20_000;

interface Props {
  machine: Machine;
  snapshot: Snapshot;
  onClose: () => void;
}

/** What the user wants to remember about a snapshot. */
export function NotesSheet({ machine, snapshot, onClose }: Props) {
  const change = useChangeSnapshot();
  const [notes, setNotes] = useState(snapshot.notes);
  const id = useId();
  const title = t("snapshots.notesTitle", { name: snapshot.name });
  const before = snapshot.notes;
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (notes === before) {
      onClose();
      return;
    }
    change.mutate(
      { id: machine.id, snapshot: snapshot.id, notes },
      {
        onSuccess: () => {
          toast({ title: t("snapshots.notesSaved", { name: snapshot.name }), key: `notes:${snapshot.id}` });
          onClose();
        },
      },
    );
  };
  return (
    <Sheet label={title} title={title} onClose={onClose} width={480} sticky={notes !== before}>
      <form className="sheet-form" onSubmit={submit}>
        <div className="sheet-body">
          <textarea
            className="field"
            aria-label={t("snapshots.notes")}
            aria-describedby={id}
            rows={7}
            maxLength={AT_MOST}
            value={notes}
            // The sheet exists for this one field.
            autoFocus
            onChange={(event) => setNotes(event.target.value)}
          />
          <p className={change.error ? "hint danger-text" : "hint"} id={id} role={change.error ? "alert" : undefined}>
            {change.error ? errorText(change.error).message : t("snapshots.notesHint")}
          </p>
        </div>
        <footer className="sheet-foot">
          <span className="grow" />
          <Button size="lg" onPress={onClose}>
            {t("common.cancel")}
          </Button>
          <Button size="lg" variant="primary" type="submit" isPending={change.isPending}>
            {t("snapshots.notesSave")}
          </Button>
        </footer>
      </form>
    </Sheet>
  );
}
