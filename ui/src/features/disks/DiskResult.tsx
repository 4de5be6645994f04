import { X } from "lucide-react";
import { Button, errorText, IconButton, Note } from "../../components";
import { formatBytes, type Job, resultOf } from "../../data";
import { t } from "../../i18n";

interface Props {
  job: Job;
  /** Offered where damage was found. */
  onRepair: () => void;
  onDismiss: () => void;
}

/** What came of a job on a disk, where it was asked for. */
export function DiskResult({ job, onRepair, onDismiss }: Props) {
  const said = wordsOf(job);
  if (!said) return null;
  return (
    <div role="status" className="disk-note">
      <Note tone={said.tone}>
        <div className="disk-result">
          <span className="grow">
            <b className="medium">{said.title}</b> {said.detail}
          </span>
          {said.repair ? <Button onPress={onRepair}>{t("disks.repair")}</Button> : null}
          <IconButton small icon={X} iconSize={14} label={t("common.dismiss")} onPress={onDismiss} />
        </div>
      </Note>
    </div>
  );
}

interface Words {
  tone: "ok" | "warn" | "bad";
  title: string;
  detail: string;
  repair?: boolean;
}

function wordsOf(job: Job): Words | null {
  if (job.state === "failed" && job.error) {
    const { message, hint } = errorText(job.error);
    return { tone: "bad", title: t("disks.failed", { title: job.title }), detail: [message, hint].join(" ") };
  }
  const result = resultOf(job);
  if (result?.kind === "disk-compact") {
    const freed = result.before - result.after;
    return freed > 0
      ? {
          tone: "ok",
          title: t("disks.compacted", { size: formatBytes(freed) }),
          detail: t("disks.compactedDetail", { before: formatBytes(result.before), after: formatBytes(result.after) }),
        }
      : { tone: "ok", title: t("disks.compactedNothing"), detail: "" };
  }
  if (result?.kind === "disk-check") {
    if (result.repaired > 0) {
      return { tone: "ok", title: t("disks.repaired"), detail: result.kept ? t("disks.repairedKept") : "" };
    }
    if (result.corruptions > 0 || !result.ok) {
      return {
        tone: "bad",
        title: t("disks.damaged", { count: result.corruptions }),
        detail: t("disks.damagedDetail"),
        repair: true,
      };
    }
    return result.leaks > 0
      ? { tone: "warn", title: t("disks.sound"), detail: t("disks.leaks", { count: result.leaks }), repair: true }
      : { tone: "ok", title: t("disks.sound"), detail: t("disks.soundDetail") };
  }
  return job.state === "done" && job.message ? { tone: "ok", title: job.message, detail: "" } : null;
}
