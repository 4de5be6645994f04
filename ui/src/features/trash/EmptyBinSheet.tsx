import { Button, errorText, Note, Sheet, toast } from "../../components";
import { formatBytes, useEmptyTrash, useTrash } from "../../data";
import { formatList, t } from "../../i18n";

/** Names listed before “and N more”. */
const NAMES = 5;

/** The one deletion that can't be undone: it names what is lost. */
export function EmptyBinSheet({ onClose }: { onClose: () => void }) {
  const { data: entries = [] } = useTrash();
  const empty = useEmptyTrash();
  const names = entries.slice(0, NAMES).map((entry) => `“${entry.name}”`);
  const more = entries.length - names.length;
  const size = formatBytes(entries.reduce((sum, entry) => sum + entry.size, 0));
  const failure = empty.error ? errorText(empty.error) : null;
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
    <Sheet
      label={t("trash.confirm")}
      role="alertdialog"
      width={460}
      onClose={onClose}
      title={t("trash.confirmTitle")}
      footer={
        <>
          <span className="grow" />
          <Button size="lg" onPress={onClose} autoFocus>
            {t("common.cancel")}
          </Button>
          <Button size="lg" variant="danger-primary" onPress={confirm}>
            {t("trash.confirm")}
          </Button>
        </>
      }
    >
      <div className="sheet-body trash-confirm">
        <p>
          {t("trash.confirmText", {
            count: entries.length,
            names: formatList(more > 0 ? [...names, t("trash.andMore", { count: more })] : names),
            size,
          })}
        </p>
        {failure ? (
          <div role="alert">
            <Note tone="bad">
              <b className="medium">{t("trash.emptyFailed")}</b> {failure.message} {failure.hint}
            </Note>
          </div>
        ) : null}
      </div>
    </Sheet>
  );
}
