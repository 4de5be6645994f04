import { type SubmitEvent, useState } from "react";
import { Button, errorText, Note, Sheet } from "../../components";
import { type Job, useCopyOut } from "../../data";
import { t } from "../../i18n";
import { OverwriteSheet } from "../carry/OverwriteSheet";
import { PathField } from "../carry/PathField";
import { isAbsolute, lastFolder, rememberFolder } from "../carry/paths";

interface Props {
  machine: string;
  disk: string;
  snapshot: string | null;
  /** As the API names them. */
  paths: string[];
  onStarted: (job: Job, to: string, paths: string[]) => void;
  onClose: () => void;
}

/** Where the chosen files go. */
export function CopyOutSheet({ machine, disk, snapshot, paths, onStarted, onClose }: Props) {
  const copy = useCopyOut();
  const [to, setTo] = useState(lastFolder() ?? "");
  const [replacing, setReplacing] = useState(false);
  const folder = to.trim();
  const title = t("files.copyTitle", { count: paths.length });
  const failure = copy.error && copy.error.code !== "file-exists" ? errorText(copy.error) : null;
  const run = (overwrite: boolean) => {
    setReplacing(false);
    copy.mutate(
      {
        id: machine,
        disk,
        request: {
          paths,
          to: folder,
          ...(snapshot === null ? {} : { snapshot }),
          ...(overwrite ? { overwrite } : {}),
        },
      },
      {
        onSuccess: (job) => {
          rememberFolder(folder);
          onStarted(job, folder, paths);
          onClose();
        },
        onError: (error) => {
          if (error.code === "file-exists") setReplacing(true);
        },
      },
    );
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (isAbsolute(folder) && !copy.isPending) run(false);
  };
  if (replacing) {
    const names = paths.map((path) => `${folder.replace(/\/$/, "")}/${path.split("/").pop() ?? ""}`);
    return <OverwriteSheet paths={names} onConfirm={() => run(true)} onClose={() => setReplacing(false)} />;
  }
  return (
    <Sheet label={title} title={title} onClose={onClose} width={520} sticky>
      <form className="sheet-form" onSubmit={submit}>
        <div className="sheet-body carry-body">
          <p className="t2">{t("files.copyLead")}</p>
          <PathField
            label={t("files.copyTo")}
            value={to}
            onChange={setTo}
            pick={{ kind: "folder", title: t("files.copyTo") }}
            error={folder !== "" && !isAbsolute(folder) ? t("carry.notAbsolute") : undefined}
          />
          {failure ? (
            <div role="alert">
              <Note tone="bad">
                <b className="medium">{t("files.notCopied")}</b> {failure.message} {failure.hint}
              </Note>
            </div>
          ) : null}
        </div>
        <footer className="sheet-foot">
          <span className="grow" />
          <Button size="lg" onPress={onClose}>
            {t("common.cancel")}
          </Button>
          <Button
            size="lg"
            variant="primary"
            type="submit"
            unavailable={!isAbsolute(folder) || copy.isPending}
          >
            {t("files.copy")}
          </Button>
        </footer>
      </form>
    </Sheet>
  );
}
