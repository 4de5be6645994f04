import { KeyRound } from "lucide-react";
import { useState } from "react";
import { Button, errorText, Note, SettingRow, Sheet, Switch, toast } from "../../components";
import { type Machine, useBackup } from "../../data";
import { t } from "../../i18n";
import "./carry.css";
import { BACKUP_ENDING, backupName } from "./formats";
import { OverwriteSheet } from "./OverwriteSheet";
import { PathField } from "./PathField";
import { folderOf, isAbsolute, proposedPath, rememberFolder } from "./paths";

interface Props {
  machine: Machine;
  onClose: () => void;
}

/** The whole machine in one file, to be restored here or elsewhere. */
export function BackupSheet({ machine, onClose }: Props) {
  const backup = useBackup();
  const [name] = useState(() => backupName(machine.name, new Date()));
  const [path, setPath] = useState(() => proposedPath(name));
  const [snapshots, setSnapshots] = useState(true);
  const [memory, setMemory] = useState(true);
  const [replacing, setReplacing] = useState(false);
  const to = path.trim();
  const title = t("carry.backupTitle", { name: machine.name });
  const taken = backup.error?.code === "file-exists";
  const failure = backup.error && !taken ? errorText(backup.error) : null;
  const live = machine.state === "running" || machine.state === "paused";

  const run = (overwrite: boolean) => {
    setReplacing(false);
    backup.mutate(
      { id: machine.id, request: { to, snapshots, memory, ...(overwrite ? { overwrite } : {}) } },
      {
        onSuccess: () => {
          rememberFolder(folderOf(to));
          toast({ tone: "info", title: t("carry.backingUp", { name: machine.name }), detail: t("carry.inActivity") });
          onClose();
        },
        onError: (error) => {
          if (error.code === "file-exists" && !overwrite) setReplacing(true);
        },
      },
    );
  };
  if (replacing) {
    return <OverwriteSheet paths={[to]} onConfirm={() => run(true)} onClose={() => setReplacing(false)} />;
  }
  return (
    <Sheet
      label={title}
      title={title}
      onClose={onClose}
      width={560}
      sticky
      footer={
        <>
          <span className="grow" />
          <Button size="lg" onPress={onClose}>
            {t("common.cancel")}
          </Button>
          <Button
            size="lg"
            variant="primary"
            isPending={backup.isPending}
            unavailable={!isAbsolute(to)}
            onPress={() => run(false)}
          >
            {t("carry.backup")}
          </Button>
        </>
      }
    >
      <div className="sheet-body carry-body">
        <p className="t2">{t("carry.backupLead")}</p>
        <PathField
          label={t("carry.target")}
          value={path}
          onChange={setPath}
          pick={{ kind: "save", title, name }}
          error={to !== "" && !isAbsolute(to) ? t("carry.notAbsolute") : undefined}
          hint={t("carry.backupEnding", { ending: `.${BACKUP_ENDING}` })}
        />
        <div>
          <SettingRow
            title={t("carry.withSnapshots")}
            detail={t("carry.withSnapshotsDetail", { count: machine.snapshots })}
            control={<Switch label={t("carry.withSnapshots")} checked={snapshots} onChange={setSnapshots} />}
          />
          <SettingRow
            title={t("carry.withMemory")}
            detail={t("carry.withMemoryDetail")}
            control={<Switch label={t("carry.withMemory")} checked={memory} onChange={setMemory} />}
          />
        </div>
        {live ? <Note>{t("carry.backupRunning")}</Note> : null}
        <Note icon={KeyRound}>{t("carry.backupKeys")}</Note>
        {failure ? (
          <div role="alert">
            <Note tone="bad">
              <b className="medium">{t("carry.notBackedUp")}</b> {failure.message} {failure.hint}
            </Note>
          </div>
        ) : null}
      </div>
    </Sheet>
  );
}
