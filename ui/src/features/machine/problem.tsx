import { HardDrive, RotateCw } from "lucide-react";
import { navigate } from "../../app/navigation";
import { openSheet } from "../../app/ui-state";
import { Button, ErrorCard, Note } from "../../components";
import { CODE_NO_SPACE, type Machine, useEjectMedium, useLogs } from "../../data";
import { t } from "../../i18n";
import { diskName } from "../disks/disk-words";
import { clearFailure, useFailure } from "./failures";
import { copyText, useMachineActions } from "./use-actions";

/** The end of a log says why. */
const LOG_TAIL = 4_000;

/** Disks that stand on files of the user's which are not there: said before a start fails. */
function MissingFiles({ machine }: { machine: Machine }) {
  const missing = machine.disks.filter((disk) => disk.linked_missing);
  if (missing.length === 0) return null;
  return (
    <div className="wide problem-notes">
      {missing.map((disk) => (
        <Note key={disk.id} tone="warn">
          <b className="medium">{t("machine.linkedMissing", { name: diskName(disk) })}</b>{" "}
          <span className="selectable">{t("machine.linkedMissingDetail", { path: disk.linked ?? "" })}</span>{" "}
          <button type="button" className="link" onClick={() => navigate({ page: "disks", machine: machine.id })}>
            {t("machine.showDisks")}
          </button>
        </Note>
      ))}
    </div>
  );
}

/** What is wrong with the machine: the last thing that failed, or why it can't run. */
export function Problem({ machine }: { machine: Machine }) {
  const failure = useFailure(machine.id);
  const actions = useMachineActions();
  const eject = useEjectMedium();
  const broken = machine.state === "broken";
  const { data: logs } = useLogs(machine.id, broken || failure !== undefined);
  const startable = broken || machine.state === "stopped" || machine.state === "suspended";
  if (!failure && !broken) {
    return (
      <>
        {machine.state_reason ? (
          <div className="wide">
            <Note tone="warn">{machine.state_reason}</Note>
          </div>
        ) : null}
        <MissingFiles machine={machine} />
      </>
    );
  }
  const tail = logs?.backend.trim().slice(-LOG_TAIL);
  const error = failure?.error ?? {
    code: "machine-broken",
    message: machine.state_reason ?? t("machine.brokenUnknown"),
    hint: t("machine.brokenHint"),
    details: {},
  };
  return (
    <div className="wide problem-notes">
      <MissingFiles machine={machine} />
      <ErrorCard
        level={2}
        title={failure?.title ?? t("machine.cannotRun", { name: machine.name })}
        safety={startable ? t("machine.notStarted") : t("machine.diskSafe")}
        error={{ ...error, details: { ...error.details, ...(tail ? { log: `\n${tail}` } : {}) } }}
        onCopy={(text) => copyText(text, t("common.technicalDetails"))}
        actions={
          <>
            {startable ? (
              <Button icon={RotateCw} onPress={() => actions.start(machine)}>
                {t("common.tryAgain")}
              </Button>
            ) : null}
            {startable && machine.medium?.missing ? (
              <Button
                isPending={eject.isPending}
                onPress={() => eject.mutate(machine.id, { onSuccess: (without) => actions.start(without) })}
              >
                {t("machine.ejectAndStart")}
              </Button>
            ) : null}
            {failure?.wayOut ? (
              <Button variant="primary" onPress={failure.wayOut.run}>
                {failure.wayOut.label}
              </Button>
            ) : null}
            {failure && machine.state === "suspended" ? (
              <Button onPress={() => openSheet({ kind: "discard-state", machine: machine.id })}>
                {t("machine.discardState")}
              </Button>
            ) : null}
            {error.code === CODE_NO_SPACE ? (
              <Button icon={HardDrive} onPress={() => navigate({ page: "space" })}>
                {t("machine.freeSpace")}
              </Button>
            ) : null}
            {failure ? (
              <Button variant="quiet" onPress={() => clearFailure(machine.id)}>
                {t("common.dismiss")}
              </Button>
            ) : null}
          </>
        }
      />
    </div>
  );
}
