import { Eraser } from "lucide-react";
import { Button, Note } from "../../components";
import type { Machine } from "../../data";
import { t } from "../../i18n";
import { isActive } from "../library/tree-model";
import { useMachineActions } from "./use-actions";

/** While a run is disposable: what that means, and the way to keep it. */
export function DisposableNote({ machine }: { machine: Machine }) {
  const actions = useMachineActions();
  if (!machine.disposable || !isActive(machine)) return null;
  return (
    <div className="wide">
      <Note tone="warn" icon={Eraser}>
        <span className="disposable">
          <span className="grow">{t("machine.disposable")}</span>
          <Button onPress={() => actions.keepChanges(machine)}>{t("machine.keepChanges")}</Button>
        </span>
      </Note>
    </div>
  );
}
