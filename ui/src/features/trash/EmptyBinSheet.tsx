import { ConfirmSheet, toast } from "../../components";
import { formatBytes, useEmptyTrash, useTrash } from "../../data";
import { formatList, t } from "../../i18n";

/** Names listed before “and N more”. */
const NAMES = 5;

/** Emptying the trash can't be undone: it names what is lost. */
export function EmptyBinSheet({ onClose }: { onClose: () => void }) {
  const { data: entries = [] } = useTrash();
  const empty = useEmptyTrash();
  const names = entries.slice(0, NAMES).map((entry) => `“${entry.name}”`);
  const more = entries.length - names.length;
  const size = formatBytes(entries.reduce((sum, entry) => sum + entry.size, 0));
  const confirm = () => {
    if (empty.isPending) return;
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
      onConfirm={confirm}
      onClose={onClose}
      failure={empty.error ? { title: t("trash.emptyFailed"), error: empty.error } : null}
    >
      <p>
        {t("trash.confirmText", {
          count: entries.length,
          names: formatList(more > 0 ? [...names, t("trash.andMore", { count: more })] : names),
          size,
        })}
      </p>
    </ConfirmSheet>
  );
}
