import { Trash2, Undo2 } from "lucide-react";
import { useState } from "react";
import { navigate } from "../../app/navigation";
import { Page } from "../../app/page";
import { Button, ErrorCard, errorText, Icon, toast } from "../../components";
import { formatBytes, formatMoment, toApiError, type TrashEntry, useClient, usePutBack, useTrash } from "../../data";
import { t } from "../../i18n";
import { EmptyBinSheet } from "./EmptyBinSheet";
import "./trash.css";

/** Puts a machine back and goes to it. */
export function usePutBackWithToast(): (entry: Pick<TrashEntry, "id" | "name">) => void {
  const putBack = usePutBack();
  return ({ id, name }) =>
    putBack.mutate(id, {
      onSuccess: (machine) => {
        toast({ title: t("trash.putBackDone", { name: machine.name }) });
        navigate({ page: "machine", machine: machine.id });
      },
      onError: (error) => {
        const { message, hint } = errorText(error);
        toast({ tone: "error", title: t("trash.putBackFailed", { name }), detail: [message, hint].join(" ") });
      },
    });
}

/** Deleted machines, with the way back. */
export function TrashPage() {
  const { platform } = useClient();
  const trash = useTrash();
  const putBack = usePutBackWithToast();
  const [confirming, setConfirming] = useState(false);
  const entries = [...(trash.data ?? [])].sort((a, b) => b.deleted_at.localeCompare(a.deleted_at));

  return (
    <Page
      name={t("trash.title")}
      actions={
        entries.length > 0 ? (
          <Button variant="danger" onPress={() => setConfirming(true)}>
            {t("trash.emptyBin")}
          </Button>
        ) : null
      }
    >
      <div className="scroll">
        <div className="page trash-page">
          {trash.error ? (
            <ErrorCard
              title={t("trash.failed")}
              error={toApiError(trash.error).info}
              onCopy={(text) => void platform.copyText(text)}
              actions={
                <Button variant="primary" onPress={() => void trash.refetch()}>
                  {t("common.tryAgain")}
                </Button>
              }
            />
          ) : entries.length > 0 ? (
            <>
              <p className="t2 trash-lead">{t("trash.lead")}</p>
              <ul className="card">
                {entries.map((entry) => (
                  <li className="li" key={entry.id}>
                    <Icon icon={Trash2} className="t3" />
                    <div className="grow">
                      <div className="medium trunc" title={entry.name}>
                        {entry.name}
                      </div>
                      <div className="t3 t12 num">
                        {t("trash.entry", { when: formatMoment(entry.deleted_at), size: formatBytes(entry.size) })}
                      </div>
                    </div>
                    <Button
                      icon={Undo2}
                      aria-label={t("trash.putBackName", { name: entry.name })}
                      onPress={() => putBack(entry)}
                    >
                      {t("trash.putBack")}
                    </Button>
                  </li>
                ))}
              </ul>
            </>
          ) : trash.data ? (
            <div className="trash-empty">
              <Icon icon={Trash2} size={40} className="t3" />
              <h2 className="h1">{t("trash.empty")}</h2>
              <p className="t2">{t("trash.emptyDetail")}</p>
            </div>
          ) : null}
        </div>
      </div>
      {confirming ? <EmptyBinSheet onClose={() => setConfirming(false)} /> : null}
    </Page>
  );
}
