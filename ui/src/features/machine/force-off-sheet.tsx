import { Button, Sheet } from "../../components";
import type { Machine } from "../../data";
import { t } from "../../i18n";
import { useMachineActions } from "./use-actions";

interface Props {
  machine: Machine;
  onClose: () => void;
}

/** One of the few questions: forcing a guest off can't be undone. Says what is lost. */
export function ForceOffSheet({ machine, onClose }: Props) {
  const actions = useMachineActions();
  const title = t("forceOff.title", { name: machine.name });
  return (
    <Sheet
      label={title}
      title={title}
      role="alertdialog"
      onClose={onClose}
      width={460}
      footer={
        <>
          <span className="grow" />
          <Button size="lg" onPress={onClose} autoFocus>
            {t("common.cancel")}
          </Button>
          <Button
            size="lg"
            variant="danger-primary"
            onPress={() => {
              actions.forceOff(machine);
              onClose();
            }}
          >
            {t("forceOff.confirm")}
          </Button>
        </>
      }
    >
      <div className="sheet-body t2">{t("forceOff.body")}</div>
    </Sheet>
  );
}
