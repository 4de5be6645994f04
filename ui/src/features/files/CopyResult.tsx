import { FolderOpen, X } from "lucide-react";
import { Button, errorText, IconButton, Note } from "../../components";
import { formatBytes, isOver, type Job, resultOf, useClient } from "../../data";
import { t } from "../../i18n";
import { JobRow } from "../activity";

interface Props {
  job: Job;
  to: string;
  /** The same again, in place of what is there. */
  onReplace: () => void;
  onDismiss: () => void;
}

/** How copying goes, and what came of it: what was left out is listed with why. */
export function CopyResult({ job, to, onReplace, onDismiss }: Props) {
  const { platform } = useClient();
  if (!isOver(job)) {
    return (
      <ul className="card files-job">
        <JobRow job={job} />
      </ul>
    );
  }
  const result = resultOf(job);
  if (job.state === "cancelled") return null;
  const words = job.error ? errorText(job.error) : null;
  const skipped = result?.kind === "copy-out" ? result.skipped : [];
  return (
    <div role="status" className="files-result">
      <Note tone={job.state === "failed" ? "bad" : skipped.length > 0 ? "warn" : "ok"}>
        <div className="files-said">
          <span className="grow">
            {words ? (
              <>
                <b className="medium">{t("files.notCopied")}</b> {words.message} {words.hint}
              </>
            ) : (
              <>
                <b className="medium">
                  {t("files.copied", {
                    count: result?.kind === "copy-out" ? result.files : 0,
                    size: formatBytes(result?.kind === "copy-out" ? result.bytes : 0),
                  })}
                </b>{" "}
                <span className="selectable">{to}</span>
              </>
            )}
          </span>
          {job.error?.code === "file-exists" ? <Button onPress={onReplace}>{t("files.replace")}</Button> : null}
          {platform.kind === "tauri" && !words ? (
            <Button icon={FolderOpen} onPress={() => void platform.showInFolder(to)}>
              {t("machine.showInFolder")}
            </Button>
          ) : null}
          <IconButton small icon={X} iconSize={14} label={t("common.dismiss")} onPress={onDismiss} />
        </div>
        {skipped.length > 0 ? (
          <details className="files-skipped">
            <summary className="medium">{t("files.skipped", { count: skipped.length })}</summary>
            <ul className="selectable">
              {skipped.map((one) => (
                <li key={one.path}>
                  <span className="mono">{one.path}</span> <span className="t2">{one.why}</span>
                </li>
              ))}
            </ul>
          </details>
        ) : null}
      </Note>
    </div>
  );
}
