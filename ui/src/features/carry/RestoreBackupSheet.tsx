import { type SubmitEvent, useState } from "react";
import { navigate } from "../../app/navigation";
import { Button, errorText, Note, Ring, Sheet, TextField, toast } from "../../components";
import { useBackupInfo, useMachines, useRestoreBackup } from "../../data";
import { t } from "../../i18n";
import { freeName, nameProblem } from "../newvm/draft";
import { BackupFacts } from "./BackupFacts";
import { BACKUP_ENDING } from "./formats";
import { PathField } from "./PathField";
import { isAbsolute } from "./paths";

interface Props {
  /** Absolute path of the backup. */
  file?: string;
  onClose: () => void;
}

/** A machine out of a backup. What is in it is read before anything is made. */
export function RestoreBackupSheet({ file, onClose }: Props) {
  const { data: machines = [] } = useMachines();
  const restore = useRestoreBackup();
  const [path, setPath] = useState(file ?? "");
  const [asked, setAsked] = useState<string | null>(file ?? null);
  const info = useBackupInfo(asked && isAbsolute(asked) ? asked : null);
  const [typed, setTyped] = useState<string | null>(null);
  const name = typed ?? (info.data ? freeName(info.data.name, machines) : "");
  const settled = restore.isPending || restore.isSuccess;
  const problem = settled || !info.data ? null : nameProblem(name, machines);
  const refusal = info.error ? errorText(info.error) : null;
  const failure = restore.error ? errorText(restore.error) : null;
  const title = t("carry.restoreTitle");

  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (!info.data || problem || settled || !asked) return;
    restore.mutate(
      { file: asked, name: name.trim() },
      {
        onSuccess: ({ machine }) => {
          toast({ tone: "info", title: t("carry.restoring", { name: machine.name }), key: `restore:${machine.id}` });
          onClose();
          navigate({ page: "machine", machine: machine.id });
        },
      },
    );
  };
  return (
    <Sheet label={title} title={title} onClose={onClose} width={560} sticky>
      <form className="sheet-form" onSubmit={submit}>
        <div className="sheet-body carry-body">
          <p className="t2">{t("carry.restoreLead")}</p>
          <PathField
            label={t("carry.backupFile")}
            value={path}
            onChange={setPath}
            onDone={(done) => setAsked(done.trim() || null)}
            pick={{ kind: "open", title: t("carry.pickBackup"), extensions: [BACKUP_ENDING], name: t("carry.backups") }}
            error={
              path.trim() !== "" && !isAbsolute(path)
                ? t("carry.notAbsolute")
                : refusal
                  ? [refusal.message, refusal.hint].filter(Boolean).join(" ")
                  : undefined
            }
          />
          {info.isFetching ? (
            <p className="row t2" role="status">
              <Ring value={null} />
              {t("import.reading")}
            </p>
          ) : null}
          {info.data ? (
            <>
              <BackupFacts info={info.data} />
              <TextField
                label={t("newvm.name")}
                value={name}
                onChange={setTyped}
                maxLength={240}
                error={problem ? t(`newvm.name.${problem}`) : undefined}
              />
            </>
          ) : null}
          {failure ? (
            <div role="alert">
              <Note tone="bad">
                <b className="medium">{t("carry.notRestored")}</b> {failure.message} {failure.hint}
              </Note>
            </div>
          ) : null}
        </div>
        <footer className="sheet-foot">
          <span className="grow" />
          <Button size="lg" onPress={onClose}>
            {t("common.cancel")}
          </Button>
          <Button
            size="lg"
            variant="primary"
            type="submit"
            isPending={restore.isPending}
            unavailable={!info.data || problem !== null}
          >
            {t("carry.restore")}
          </Button>
        </footer>
      </form>
    </Sheet>
  );
}
