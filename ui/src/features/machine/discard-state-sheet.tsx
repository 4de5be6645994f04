import { ConfirmSheet } from "../../components";
import { formatMoment, type Machine } from "../../data";
import { t } from "../../i18n";
import { useMachineActions } from "./use-actions";

interface Props {
  machine: Machine;
  onClose: () => void;
}

/** A saved state that is thrown away does not come back. */
export function DiscardStateSheet({ machine, onClose }: Props) {
  const actions = useMachineActions();
  return (
    <ConfirmSheet
      title={t("discardState.title", { name: machine.name })}
      confirm={t("discardState.confirm")}
      onClose={onClose}
      onConfirm={() => {
        actions.discardState(machine);
        onClose();
      }}
    >
      <p className="t2">
        {machine.suspended_at
          ? t("discardState.bodySince", { when: formatMoment(machine.suspended_at) })
          : t("discardState.body")}
      </p>
    </ConfirmSheet>
  );
}
