import { openSheet } from "../../app/ui-state";
import { Note } from "../../components";
import { t, type MessageKey } from "../../i18n";
import { useMachineActions } from "../machine/use-actions";
import type { Edit } from "./use-edit";

interface Props {
  edit: Edit;
  id: string;
  reason: MessageKey;
}

/** Why a setting can't change now, and the way out. */
export function LockedNote({ edit, id, reason }: Props) {
  const actions = useMachineActions();
  if (!edit.locked) return null;
  if (edit.machine.state === "stopping") {
    return (
      <Note tone="info" id={id}>
        {t("edit.stopping")}
      </Note>
    );
  }
  if (edit.machine.state === "suspended") {
    const { id: machine } = edit.machine;
    return (
      <Note tone="locked" id={id}>
        <span className="medium">{t("edit.savedTitle")}</span> <span className="t2">{t("edit.savedReason")}</span>{" "}
        <button type="button" className="link" onClick={() => openSheet({ kind: "discard-state", machine })}>
          {t("machine.discardState")}
        </button>
      </Note>
    );
  }
  return (
    <Note tone="locked" id={id}>
      <span className="medium">{t("edit.lockedTitle")}</span> <span className="t2">{t(reason)}</span>{" "}
      <button type="button" className="link" onClick={() => actions.stop(edit.machine)}>
        {t("edit.stopAndChange")}
      </button>
    </Note>
  );
}
