import { Pause, Play, X } from "lucide-react";
import { errorText, Icon, IconButton, Progress, toast } from "../../components";
import { type ApiError, type Job, useCancelJob, usePauseJob, useResumeJob, useTimeLeft } from "../../data";
import { t } from "../../i18n";
import { JOB_ICONS } from "./job-icons";
import { bytesWords, joinWords, leftWords, rateWords, shareOf } from "./job-words";

/** One job that runs: how far, how long, and the ways to stop it. */
export function JobRow({ job }: { job: Job }) {
  const left = useTimeLeft(job);
  const cancel = useCancelJob();
  const pause = usePauseJob();
  const resume = useResumeJob();
  const failed = (error: ApiError) => {
    const { message, hint } = errorText(error);
    toast({ tone: "error", title: t("activity.actionFailed"), detail: joinWords([message, hint]) });
  };
  const running = job.steps.find((step) => step.state === "running");
  const state = job.state === "paused" ? t("activity.paused") : job.state === "queued" ? t("activity.queued") : null;
  return (
    <li className="li activity-job">
      <Icon icon={JOB_ICONS[job.kind]} className="t2" />
      <div className="grow">
        <div className="row">
          <span className="medium grow trunc" title={job.title}>
            {job.title}
          </span>
          <span className="t3 t12 num">{state ?? leftWords(left)}</span>
        </div>
        <div className="activity-bar">
          <Progress label={job.title} value={job.state === "queued" ? 0 : shareOf(job)} />
        </div>
        <div className="t3 t12 num trunc">
          {joinWords([running?.title || job.message, bytesWords(job), rateWords(job)])}
        </div>
      </div>
      {job.state === "paused" ? (
        <IconButton
          icon={Play}
          label={t("activity.resume", { title: job.title })}
          onPress={() => resume.mutate(job.id, { onError: failed })}
        />
      ) : job.pausable ? (
        <IconButton
          icon={Pause}
          label={t("activity.pause", { title: job.title })}
          onPress={() => pause.mutate(job.id, { onError: failed })}
        />
      ) : null}
      <IconButton
        icon={X}
        label={t("activity.cancel", { title: job.title })}
        onPress={() =>
          cancel.mutate(job.id, {
            onSuccess: () => toast({ tone: "info", title: t("activity.cancelled") }),
            onError: failed,
          })
        }
      />
    </li>
  );
}
