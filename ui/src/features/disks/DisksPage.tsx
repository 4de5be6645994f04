import { ArchiveRestore, HardDrive, Plus, Trash2 } from "lucide-react";
import { navigate } from "../../app/navigation";
import { Page } from "../../app/page";
import { openSheet } from "../../app/ui-state";
import { Button, Clamped, ErrorCard, errorText, Icon, Note, Ring, Scroll } from "../../components";
import { type DiskDetails, formatBytes, isOver, type Job, type Machine, useClient, useDisks, useJobs } from "../../data";
import { t } from "../../i18n";
import { JobRow } from "../activity";
import { joinWords } from "../activity/job-words";
import { CdDrive } from "../edit/cd-panel";
import { DiskCard } from "./DiskCard";
import { diskName, groupsOf, purgeWords, whyNot } from "./disk-words";
import "./disks.css";
import { useTracked } from "./tracked";
import { type DiskActions, useDiskActions } from "./use-disk-actions";

const DISK_JOBS = new Set<Job["kind"]>(["disk-add", "disk-move", "disk-compact", "disk-check"]);

/** The disks of a machine: what they are, where their bytes are, and all that can be done to them. */
export function DisksPage({ machine }: { machine: Machine }) {
  const { platform } = useClient();
  const { data, error, refetch } = useDisks(machine.id);
  const { data: jobs = [] } = useJobs();
  const tracked = useTracked();
  const actions = useDiskActions(machine);
  const { attached, detached, bin } = groupsOf(data ?? []);
  const onCards = new Set([...attached, ...detached].map((disk) => tracked.get(disk.id)));
  // What runs for a disk that is not there yet, or that another window began.
  const others = jobs.filter(
    (job) => job.machine === machine.id && DISK_JOBS.has(job.kind) && !isOver(job) && !onCards.has(job.id),
  );
  const card = (disk: DiskDetails) => (
    <DiskCard
      key={disk.id}
      machine={machine}
      disk={disk}
      count={attached.length}
      job={tracked.get(disk.id)}
      actions={actions}
    />
  );
  const addReason = whyNot("grow", machine, true);
  return (
    <Page
      name={t("disks.title", { name: machine.name })}
      onBack={() => navigate({ page: "machine", machine: machine.id })}
      actions={
        <Button
          variant="primary"
          icon={Plus}
          unavailable={addReason !== null}
          {...(addReason ? { "aria-describedby": "add-disk-why" } : {})}
          onPress={() => openSheet({ kind: "add-disk", machine: machine.id })}
        >
          {t("disks.add")}
        </Button>
      }
    >
      <Scroll label={t("disks.title", { name: machine.name })}>
        <div className="page narrow disks-page">
          {addReason ? (
            <Note tone="locked" id="add-disk-why">
              <span className="t2">{addReason}</span>
            </Note>
          ) : null}
          {error ? (
            <ErrorCard
              level={2}
              title={t("disks.unreadable")}
              error={error.info}
              onCopy={(text) => void platform.copyText(text)}
              actions={
                <Button variant="primary" onPress={() => void refetch()}>
                  {t("common.tryAgain")}
                </Button>
              }
            />
          ) : data === undefined ? (
            <p className="row t2" role="status">
              <Ring value={null} />
              {t("common.loading")}
            </p>
          ) : null}
          {others.length > 0 ? (
            <section>
              <h2 className="sec">{t("activity.running")}</h2>
              <ul className="card">
                {others.map((job) => (
                  <JobRow key={job.id} job={job} />
                ))}
              </ul>
            </section>
          ) : null}
          {data ? (
            <section>
              <h2 className="sec">{t("disks.attachedTitle")}</h2>
              {attached.length > 0 ? (
                <ul className="card" aria-label={t("disks.attachedTitle")}>
                  {attached.map(card)}
                </ul>
              ) : (
                <Note icon={HardDrive}>{t("disks.none")}</Note>
              )}
            </section>
          ) : null}
          <section>
            <h2 className="sec">{t("disks.drive")}</h2>
            <div className="card disk-drive">
              <CdDrive machine={machine} />
            </div>
          </section>
          {detached.length > 0 ? (
            <section>
              <h2 className="sec">{t("disks.detachedTitle")}</h2>
              <p className="t3 disks-lead">{t("disks.detachedLead")}</p>
              <ul className="card" aria-label={t("disks.detachedTitle")}>
                {detached.map(card)}
              </ul>
            </section>
          ) : null}
          {bin.length > 0 ? (
            <section>
              <h2 className="sec">{t("disks.binTitle")}</h2>
              <ul className="card" aria-label={t("disks.binTitle")}>
                {bin.map((disk) => (
                  <BinRow key={disk.id} disk={disk} actions={actions} />
                ))}
              </ul>
            </section>
          ) : null}
        </div>
      </Scroll>
    </Page>
  );
}

function BinRow({ disk, actions }: { disk: DiskDetails; actions: DiskActions }) {
  const name = diskName(disk);
  const failure = actions.failures.get(disk.id);
  return (
    <li className="li disk-binned" aria-label={name}>
      <Icon icon={Trash2} className="t3" />
      <div className="grow">
        <Clamped text={name} lines={2} className="medium" />
        <div className="t3 t12 num">
          {joinWords([formatBytes(disk.capacity), t("disks.takes", { size: formatBytes(disk.used) }), purgeWords(disk)])}
        </div>
        {failure ? (
          <div role="alert" className="danger-text t12">
            {failure.title} {errorText(failure.error).message} {errorText(failure.error).hint}
          </div>
        ) : null}
      </div>
      <Button
        icon={ArchiveRestore}
        aria-label={t("disks.restoreName", { name })}
        onPress={() => actions.restore(disk)}
      >
        {t("disks.restore")}
      </Button>
    </li>
  );
}
