import { HardDrive, RotateCw } from "lucide-react";
import { navigate } from "../../app/navigation";
import { openSheet } from "../../app/ui-state";
import { Button, ErrorCard, errorText, toast } from "../../components";
import { CODE_NO_SPACE, useClient, useCreateMachine, useImport, useStartMachine } from "../../data";
import type { ApiError, JobKind } from "../../data";
import { t } from "../../i18n";
import { joinWords } from "./job-words";
import type { Need } from "./needs";
import { rememberRequest, requestOf } from "./requests";

function titleOf(need: Need): string {
  if (need.kind === "job") return t("activity.jobFailed", { title: need.job.title });
  const key = need.machine.state === "broken" ? "activity.machineBroken" : "activity.machineStopped";
  return t(key, { name: need.machine.name });
}

const MAKES_MACHINE = new Set<JobKind>(["create", "import", "clone", "restore-backup"]);
/** They write files of the user's; what is half written is taken away. */
const MAKES_FILES = new Set<JobKind>(["export", "backup", "convert", "copy-out"]);

function safetyOf(need: Need): string {
  if (need.kind === "machine") return t(need.machine.state === "broken" ? "activity.safe.broken" : "activity.safe.stopped");
  if (MAKES_FILES.has(need.job.kind)) return t("activity.safe.files");
  if (!MAKES_MACHINE.has(need.job.kind)) return t("activity.safe.snapshot");
  if (need.machine) return t("activity.safe.notStarted");
  return t(need.job.kind === "import" ? "activity.safe.import" : "activity.safe.none");
}

/** One trouble: is the data safe, why, what to do, and the same again by one button. */
export function NeedCard({ need, onDismiss }: { need: Need; onDismiss: () => void }) {
  const { platform } = useClient();
  const create = useCreateMachine();
  const importing = useImport();
  const start = useStartMachine();
  const failed = (error: ApiError) => {
    const { message, hint } = errorText(error);
    toast({ tone: "error", title: t("activity.tryAgainFailed"), detail: joinWords([message, hint]) });
  };

  const asked = need.kind === "job" ? requestOf(need.job.id) : undefined;
  const { machine } = need;
  // A machine is started again only where it was its making or start that failed.
  const again = machine && !(need.kind === "job" && !MAKES_MACHINE.has(need.job.kind))
    ? () =>
        start.mutate(
          { id: machine.id },
          {
            onError: failed,
            onSuccess: () => {
              onDismiss();
              navigate({ page: "machine", machine: machine.id });
            },
          },
        )
    : asked?.kind === "create"
      ? () =>
          create.mutate(asked.request, {
            onError: failed,
            onSuccess: (started) => {
              rememberRequest(started.job.id, asked);
              onDismiss();
              navigate({ page: "machine", machine: started.machine.id });
            },
          })
      : asked?.kind === "import"
        ? () =>
            importing.mutate(asked.request, {
              onError: failed,
              onSuccess: (started) => {
                rememberRequest(started.job.id, asked);
                onDismiss();
              },
            })
        : null;

  return (
    <ErrorCard
      title={titleOf(need)}
      error={need.error}
      safety={safetyOf(need)}
      onCopy={(text) => void platform.copyText(text)}
      actions={
        <>
          {again ? (
            <Button variant="primary" icon={RotateCw} onPress={again}>
              {t("common.tryAgain")}
            </Button>
          ) : need.kind === "job" && need.job.kind === "create" ? (
            <Button variant="primary" onPress={() => openSheet({ kind: "new-vm" })}>
              {t("activity.newVm")}
            </Button>
          ) : null}
          {need.error.code === CODE_NO_SPACE ? (
            <Button icon={HardDrive} onPress={() => navigate({ page: "space" })}>
              {t("machine.freeSpace")}
            </Button>
          ) : null}
          <Button variant="quiet" onPress={onDismiss}>
            {t("common.dismiss")}
          </Button>
        </>
      }
    />
  );
}
