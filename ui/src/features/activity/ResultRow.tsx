import { FolderOpen } from "lucide-react";
import { navigate } from "../../app/navigation";
import { Button, Icon } from "../../components";
import { formatMoment, type Job, useClient, useMachine } from "../../data";
import { t } from "../../i18n";
import { JOB_ICONS } from "./job-icons";
import { joinWords } from "./job-words";
import type { Found } from "./results";

/** A job that is done: what it made, where that is. */
export function ResultRow({ job, found }: { job: Job; found: Found }) {
  const { platform } = useClient();
  const machine = useMachine(job.machine);
  const { path } = found;
  const ofDisk = job.kind === "disk-check" || job.kind === "disk-compact";
  return (
    <li className="li">
      <Icon icon={JOB_ICONS[job.kind]} className="ok-text" />
      <div className="grow activity-entry">
        <div>
          <span className="medium">{job.title}</span>{" "}
          <span className="t3 num">{joinWords([found.words, job.finished_at ? formatMoment(job.finished_at) : null])}</span>
        </div>
        {path ? <div className="mono t2 selectable">{path}</div> : null}
        {found.notes.map((note) => (
          <div key={note} className="t2 t12">
            {note}
          </div>
        ))}
      </div>
      {path && platform.kind === "tauri" ? (
        <Button
          variant="quiet"
          icon={FolderOpen}
          aria-description={path}
          onPress={() => void platform.showInFolder(path)}
        >
          {t("machine.showInFolder")}
        </Button>
      ) : null}
      {path && platform.kind !== "tauri" ? (
        <Button variant="quiet" aria-description={path} onPress={() => void platform.copyText(path)}>
          {t("activity.copyPath")}
        </Button>
      ) : null}
      {ofDisk && machine ? (
        <Button
          variant="quiet"
          aria-description={machine.name}
          onPress={() => navigate({ page: "disks", machine: machine.id })}
        >
          {t("activity.show")}
        </Button>
      ) : null}
    </li>
  );
}
