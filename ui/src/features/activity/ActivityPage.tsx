import { Activity, Camera, Check, type LucideIcon, Power, RotateCcw, Trash2 } from "lucide-react";
import { useMemo } from "react";
import { navigate } from "../../app/navigation";
import { Page } from "../../app/page";
import { Button, ErrorCard, Icon } from "../../components";
import {
  type ActivityEntry,
  formatMoment,
  isOver,
  toApiError,
  useActivity,
  useClient,
  useConfig,
  useJobs,
  useMachines,
  useSetConfig,
  useTrash,
} from "../../data";
import { t } from "../../i18n";
import { usePutBackWithToast } from "../trash";
import "./activity.css";
import { JobRow } from "./JobRow";
import { addDismissed, byDay, needsOf, parseDismissed } from "./needs";
import { NeedCard } from "./NeedCard";
import { ResultRow } from "./ResultRow";
import { finishedOf } from "./results";

const DISMISSED = "ui.dismissed";
const CLEARED = "ui.activity_cleared";

function iconOf(kind: string): LucideIcon {
  if (kind === "machine.removed") return Trash2;
  if (kind === "snapshot.restored") return RotateCcw;
  if (kind.startsWith("snapshot.")) return Camera;
  return kind === "machine.state" ? Power : Check;
}

/** What needs the user, what runs, what happened. */
export function ActivityPage() {
  const { platform } = useClient();
  const activity = useActivity();
  const { data: jobs = [] } = useJobs();
  const { data: machines = [] } = useMachines();
  const { data: config } = useConfig();
  const setConfig = useSetConfig();

  const dismissed = config?.[DISMISSED];
  const needs = useMemo(() => needsOf(jobs, machines, parseDismissed(dismissed)), [jobs, machines, dismissed]);
  const running = jobs.filter((job) => !isOver(job));
  const cleared = typeof config?.[CLEARED] === "string" ? config[CLEARED] : "";
  const days = useMemo(() => byDay(activity.data ?? [], cleared, new Date()), [activity.data, cleared]);
  const finished = useMemo(() => finishedOf(jobs, cleared), [jobs, cleared]);
  const empty = activity.data && needs.length + running.length + finished.length + days.length === 0;

  return (
    <Page
      name={t("activity.title")}
      actions={
        days.length + finished.length > 0 ? (
          <Button
            variant="quiet"
            onPress={() => setConfig.mutate({ key: CLEARED, value: new Date().toISOString() })}
          >
            {t("activity.clear")}
          </Button>
        ) : null
      }
    >
      <div className="scroll">
        <div className="page narrow activity-page">
          {activity.error ? (
            <ErrorCard
              title={t("activity.failed")}
              error={toApiError(activity.error).info}
              onCopy={(text) => void platform.copyText(text)}
            />
          ) : null}
          {needs.length > 0 ? (
            <section aria-labelledby="activity-needs">
              <h2 className="sec" id="activity-needs">
                {t("activity.needsYou")}
              </h2>
              <div className="activity-needs">
                {needs.map((need) => (
                  <NeedCard
                    key={need.id}
                    need={need}
                    onDismiss={() =>
                      setConfig.mutate({ key: DISMISSED, value: addDismissed(config?.[DISMISSED], need.id) })
                    }
                  />
                ))}
              </div>
            </section>
          ) : null}
          {running.length > 0 ? (
            <section aria-labelledby="activity-running">
              <h2 className="sec" id="activity-running">
                {t("activity.running")}
              </h2>
              <ul className="card">
                {running.map((job) => (
                  <JobRow key={job.id} job={job} />
                ))}
              </ul>
            </section>
          ) : null}
          {finished.length > 0 ? (
            <section aria-labelledby="activity-finished">
              <h2 className="sec" id="activity-finished">
                {t("activity.finished")}
              </h2>
              <ul className="card">
                {finished.map(({ job, found }) => (
                  <ResultRow key={job.id} job={job} found={found} />
                ))}
              </ul>
            </section>
          ) : null}
          {days.map(({ day, entries }) => (
            <section key={day} aria-labelledby={`activity-${day}`}>
              <h2 className="sec" id={`activity-${day}`}>
                {t(`activity.${day}`)}
              </h2>
              <ul className="card">
                {entries.map((entry, index) => (
                  <EntryRow key={`${entry.at}-${index}`} entry={entry} />
                ))}
              </ul>
            </section>
          ))}
          {empty ? (
            <div className="activity-empty">
              <Icon icon={Activity} size={40} className="t3" />
              <h2 className="h1">{t("activity.nothing")}</h2>
              <p className="t2">{t("activity.nothingDetail")}</p>
            </div>
          ) : null}
        </div>
      </div>
    </Page>
  );
}

function EntryRow({ entry }: { entry: ActivityEntry }) {
  const { data: machines = [] } = useMachines();
  const { data: trash = [] } = useTrash();
  const putBack = usePutBackWithToast();
  const machine = machines.find((one) => one.id === entry.machine);
  const deleted = trash.find((one) => one.id === entry.machine);
  const name = machine?.name ?? deleted?.name;
  const when = formatMoment(entry.at);
  return (
    <li className="li">
      <Icon icon={iconOf(entry.kind)} className="t3" />
      <div className="grow activity-entry">
        <span className="medium">{entry.message}</span>{" "}
        <span className="t3 num">{name ? t("activity.entry", { machine: name, when }) : when}</span>
      </div>
      {machine ? (
        <Button
          variant="quiet"
          aria-description={machine.name}
          onPress={() => navigate({ page: "machine", machine: machine.id })}
        >
          {t("activity.show")}
        </Button>
      ) : deleted && entry.kind === "machine.removed" ? (
        <Button variant="quiet" aria-description={deleted.name} onPress={() => putBack(deleted)}>
          {t("trash.putBack")}
        </Button>
      ) : null}
    </li>
  );
}
