import { useState } from "react";
import { ConfirmSheet } from "../../components";
import { type ApiError, formatBytes, type SpaceAction, type SpaceItem } from "../../data";
import { t } from "../../i18n";

type Asked = Exclude<SpaceAction, "tidy" | "empty-trash">;
const isAsked = (action: SpaceAction | null): action is Asked =>
  action !== null && action !== "tidy" && action !== "empty-trash";

interface Props {
  item: SpaceItem;
  /** Bytes that all downloads nobody needs take together: they go at once. */
  downloads: number;
  free: (item: SpaceItem) => Promise<void>;
  onClose: () => void;
}

/** Before something is freed that is lost by it: says what. */
export function FreeSheet({ item, downloads, free, onClose }: Props) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const { action } = item;
  if (!isAsked(action)) return null;
  const confirm = () => {
    if (busy) return;
    setBusy(true);
    free(item).then(onClose, (failure: ApiError) => {
      setError(failure);
      setBusy(false);
    });
  };
  return (
    <ConfirmSheet
      title={t(`space.ask.${action}`)}
      confirm={t(`space.do.${action}`)}
      busy={busy}
      onConfirm={confirm}
      onClose={onClose}
      failure={error ? { title: t("space.notFreed"), error } : null}
    >
      <p>
        {t(`space.lose.${action}`, {
          title: item.title,
          machine: item.machine_name ?? "",
          size: formatBytes(downloads),
        })}
      </p>
      {action === "delete-snapshot" && item.note ? <p className="t2">{item.note}</p> : null}
    </ConfirmSheet>
  );
}
