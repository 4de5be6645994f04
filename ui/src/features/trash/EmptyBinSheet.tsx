import { ConfirmSheet, toast } from "../../components";
import { formatBytes, useEmptyTrash, useTrashPlan } from "../../data";
import { formatList, t } from "../../i18n";

/** Names listed before “and N more”. */
const NAMES = 5;

function listed(names: string[]): string {
  const more = names.length - NAMES;
  return formatList(more > 0 ? [...names.slice(0, NAMES), t("trash.andMore", { count: more })] : names);
}

/** Emptying the trash can't be undone: it names what is lost, the disks in the bins of other machines too. */
export function EmptyBinSheet({ onClose }: { onClose: () => void }) {
  const plan = useTrashPlan();
  const empty = useEmptyTrash();
  const { removed = [], disks = [], freed = 0 } = plan.data ?? {};
  const error = empty.error ?? plan.error;
  const confirm = () => {
    if (empty.isPending || !plan.data) return;
    empty.mutate(undefined, {
      onSuccess: (result) => {
        toast({ title: t("trash.emptied", { size: formatBytes(result.freed) }) });
        onClose();
      },
    });
  };
  return (
    <ConfirmSheet
      label={t("trash.confirm")}
      title={t("trash.confirmTitle")}
      confirm={t("trash.confirm")}
      busy={empty.isPending || plan.isPending}
      onConfirm={confirm}
      onClose={onClose}
      failure={error ? { title: t("trash.emptyFailed"), error } : null}
    >
      {removed.length > 0 ? (
        <p>
          {t("trash.confirmText", { count: removed.length, names: listed(removed.map((entry) => `“${entry.name}”`)) })}
        </p>
      ) : null}
      {disks.length > 0 ? (
        <p>
          {t("trash.confirmDisks", {
            count: disks.length,
            names: listed(
              disks.map((disk) =>
                t("trash.confirmDisk", {
                  label: disk.label ? `“${disk.label}”` : disk.id.slice(0, 8),
                  machine: disk.machine_name,
                }),
              ),
            ),
          })}
        </p>
      ) : null}
      {plan.data ? <p className="num">{t("trash.confirmFrees", { size: formatBytes(freed) })}</p> : null}
    </ConfirmSheet>
  );
}
