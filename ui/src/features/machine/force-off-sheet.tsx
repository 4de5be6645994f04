import { ConfirmSheet } from "../../components";
import type { Machine } from "../../data";
import { t } from "../../i18n";
import { useMachineActions } from "./use-actions";

interface Props {
  machine: Machine;
  onClose: () => void;
}

/** Forcing a guest off can't be undone. */
export function ForceOffSheet({ machine, onClose }: Props) {
  const actions = useMachineActions();
  return (
    <ConfirmSheet
      title={t("forceOff.title", { name: machine.name })}
      confirm={t("forceOff.confirm")}
      onClose={onClose}
      onConfirm={() => {
        actions.forceOff(machine);
        onClose();
      }}
    >
      <p className="t2">{t("forceOff.body")}</p>
    </ConfirmSheet>
  );
}
