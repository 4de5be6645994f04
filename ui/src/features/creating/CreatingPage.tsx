import { CircleCheck, CircleMinus, CircleX, Pause, Play, ShieldCheck } from "lucide-react";
import { useRef } from "react";
import { navigate } from "../../app/navigation";
import { Page } from "../../app/page";
import { Button, errorText, Icon, Progress, Ring, StateMark, Tile, toast } from "../../components";
import {
  type ApiError,
  formatPercent,
  type Job,
  type Machine,
  type Step,
  useCancelJob,
  useJobs,
  usePauseJob,
  useResumeJob,
  useServiceEvents,
  useTemplates,
  useTimeLeft,
} from "../../data";
import { t, type MessageKey } from "../../i18n";
import { bytesWords, joinWords, leftWords, rateWords, shareOf } from "../activity/job-words";
import "./creating.css";

/** A machine while it is made: what happens now, how far it is, and the ways out. */
export function CreatingPage({ machine }: { machine: Machine }) {
  const { data: jobs } = useJobs();
  const job =
    jobs?.find((one) => one.id === machine.job) ?? jobs?.find((one) => one.machine === machine.id && !one.finished_at);
  const cancelled = useRef(false);
  const words = WORDS[wayOf(job)];

  useServiceEvents((event) => {
    if (event.machine_now?.id === machine.id && event.machine_now.state !== "creating") {
      // Ready. If it is being started, its screen is what was waited for.
      if (event.machine_now.job !== null) navigate({ page: "display", machine: machine.id }, true);
    } else if (event.kind === "machine.removed" && event.machine === machine.id) {
      if (cancelled.current) toast({ tone: "info", title: t("creating.cancelled") });
      // It failed: the reason and “Try again” are there.
      else navigate({ page: "activity" }, true);
    }
  });

  return (
    <Page
      name={machine.name}
      extra={
        <span className="pill accent">
          <StateMark state="creating" />
          {t(words.pill)}
        </span>
      }
    >
      <div className="creating scroll">
        <div className="creating-column">
          <Head machine={machine} job={job} />
          <Progress
            tall
            label={job && wayOf(job) !== "create" ? job.title : t("creating.download")}
            value={job && job.state !== "queued" ? shareOf(job) : 0}
          />
          <Controls job={job} words={words} onCancel={() => (cancelled.current = true)} />
          {job && job.steps.length > 0 ? (
            // WebKit takes a list without bullets for none.
            // eslint-disable-next-line jsx-a11y/no-redundant-roles
            <ol className="card" role="list" aria-label={t("creating.steps")}>
              {job.steps.map((step) => (
                <StepRow key={step.id} step={step} job={job} />
              ))}
            </ol>
          ) : null}
        </div>
      </div>
    </Page>
  );
}

const KNOWN = new Set(["resolve", "verify-signature", "download", "verify-image", "disk", "seed", "copy", "start"]);

/** Steps this version knows have words of their own; others, and those of a clone, say what the service calls them. */
const titleOf = (step: Step, job: Job): string =>
  KNOWN.has(step.id) && job.kind !== "clone" ? t(`creating.step.${step.id}` as MessageKey) : step.title;
const headlineOf = (step: Step, job: Job, system: string): string =>
  KNOWN.has(step.id) && job.kind !== "clone" ? t(`creating.now.${step.id}` as MessageKey, { system }) : step.title;

type Way = "create" | "import" | "clone";
interface Words {
  pill: MessageKey;
  cancel: MessageKey;
  /** What may be done meanwhile. */
  note: MessageKey;
}

const WORDS: Record<Way, Words> = {
  create: { pill: "creating.pill", cancel: "creating.cancel", note: "creating.keepWorking" },
  import: { pill: "creating.importPill", cancel: "creating.cancelImport", note: "creating.keepWorkingImport" },
  clone: { pill: "creating.clonePill", cancel: "creating.cancelClone", note: "creating.keepWorkingClone" },
};

const wayOf = (job: Job | undefined): Way => (job?.kind === "import" || job?.kind === "clone" ? job.kind : "create");

function Head({ machine, job }: { machine: Machine; job: Job | undefined }) {
  const { data: templates } = useTemplates();
  const template = templates?.find((one) => one.id === machine.template);
  const left = useTimeLeft(job);
  const system = machine.system ?? machine.name;
  const running = job?.steps.find((step) => step.state === "running");
  const now = running && job ? headlineOf(running, job, system) : system;
  const facts = job ? joinWords([bytesWords(job), rateWords(job), leftWords(left)]) : "";
  return (
    <div className="row creating-head">
      <Tile glyph={template?.glyph ?? system.slice(0, 2)} family={template?.family ?? system} />
      <div className="grow">
        <h2 className="h1">{now}</h2>
        <div className="t2 num creating-facts">
          {job?.state === "paused" ? joinWords([t("creating.paused"), bytesWords(job)]) : facts || t("creating.waiting")}
        </div>
      </div>
    </div>
  );
}

function Controls(props: { job: Job | undefined; words: Words; onCancel: () => void }) {
  const { job, words, onCancel } = props;
  const cancel = useCancelJob();
  const pause = usePauseJob();
  const resume = useResumeJob();
  const failed = (title: string) => (error: ApiError) => {
    const { message, hint } = errorText(error);
    toast({ tone: "error", title, detail: joinWords([message, hint]) });
  };
  if (!job) return null;
  return (
    <div className="row creating-controls">
      {job.state === "paused" ? (
        <Button icon={Play} onPress={() => resume.mutate(job.id, { onError: failed(t("creating.pauseFailed")) })}>
          {t("creating.resumeDownload")}
        </Button>
      ) : job.pausable ? (
        <Button icon={Pause} onPress={() => pause.mutate(job.id, { onError: failed(t("creating.pauseFailed")) })}>
          {t("creating.pauseDownload")}
        </Button>
      ) : null}
      <Button
        aria-label={t(words.cancel)}
        onPress={() => {
          onCancel();
          cancel.mutate(job.id, { onError: failed(t("creating.cancelFailed")) });
        }}
      >
        {t("common.cancel")}
      </Button>
      <span className="grow" />
      <span className="t3 t12 creating-note">{t(words.note)}</span>
    </div>
  );
}

const VERIFYING = new Set(["verify-signature", "verify-image"]);

function StepRow({ step, job }: { step: Step; job: Job }) {
  const { state } = step;
  const share = state === "running" ? shareOf(job) : null;
  return (
    <li className="li" aria-current={state === "running" ? "step" : undefined}>
      <StepMark state={state} share={share} />
      <div className="grow">
        <div className={state === "waiting" || state === "skipped" ? "medium t3" : "medium"}>
          {titleOf(step, job)}
          <span className="vh">{t(`creating.state.${state}`)}</span>
        </div>
        {step.detail ? <div className="t3 t12 creating-detail">{step.detail}</div> : null}
      </div>
      {state === "done" && VERIFYING.has(step.id) ? (
        <span className="pill ok">
          <Icon icon={ShieldCheck} size={12} />
          {t("creating.verified")}
        </span>
      ) : state === "skipped" ? (
        <span className="t3 t12">{t("creating.skipped")}</span>
      ) : state === "running" && share !== null && job.bytes_total ? (
        <span className="num t2">{formatPercent(share)}</span>
      ) : null}
    </li>
  );
}

function StepMark({ state, share }: { state: Step["state"]; share: number | null }) {
  if (state === "done") return <Icon icon={CircleCheck} className="ok-text" />;
  if (state === "failed") return <Icon icon={CircleX} className="danger-text" />;
  if (state === "skipped") return <Icon icon={CircleMinus} className="t3" />;
  if (state === "running") return <Ring value={share} />;
  return <span className="creating-todo" aria-hidden="true" />;
}
