import { FolderOpen } from "lucide-react";
import { type SubmitEvent, useState } from "react";
import { Button, Note, SettingRow, TextField } from "../../components";
import { type Machine, useEjectMedium, useInsertMedium } from "../../data";
import { t } from "../../i18n";
import { platform } from "../../platform";
import type { PanelProps } from "./edit-page";

export const CdPanel = ({ edit }: PanelProps) => <CdDrive machine={edit.machine} />;

/** The disc in the drive: changes at any time. */
export function CdDrive({ machine }: { machine: Machine }) {
  const insert = useInsertMedium();
  const eject = useEjectMedium();
  const [path, setPath] = useState("");
  const { medium } = machine;
  const error = insert.error ?? eject.error;
  const pick = async () => {
    const [chosen] = await platform.pickFiles({
      title: t("edit.pickTitle"),
      multiple: false,
      extensions: ["iso"],
      extensionsName: t("edit.pickType"),
    });
    if (chosen) insert.mutate({ id: machine.id, path: chosen });
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (path.trim()) insert.mutate({ id: machine.id, path: path.trim() }, { onSuccess: () => setPath("") });
  };
  return (
    <>
      <SettingRow
        title={t("edit.medium")}
        detail={
          medium ? (
            <>
              <span className="medium">{medium.name}</span>{" "}
              <span className="mono t3 selectable edit-path">{medium.path}</span>
            </>
          ) : (
            t("edit.cdEmpty")
          )
        }
        control={
          <span className="row">
            {medium ? (
              <Button isPending={eject.isPending} onPress={() => eject.mutate(machine.id)}>
                {t("edit.eject")}
              </Button>
            ) : null}
            {platform.kind === "tauri" ? (
              <Button icon={FolderOpen} isPending={insert.isPending} onPress={() => void pick()}>
                {t("edit.insert")}
              </Button>
            ) : null}
          </span>
        }
        why={
          medium?.missing ? <Note tone="warn">{t("edit.mediumMissing", { path: medium.path })}</Note> : null
        }
      />
      {platform.kind === "tauri" ? null : (
        <form className="setting stacked" onSubmit={submit}>
          <TextField
            label={t("edit.insertPath")}
            hint={t("edit.insertPathDetail")}
            value={path}
            onChange={setPath}
          />
          <span>
            <Button type="submit" isPending={insert.isPending}>
              {t("edit.insertButton")}
            </Button>
          </span>
        </form>
      )}
      {error ? (
        <Note tone="bad">
          {error.message} {error.hint}
        </Note>
      ) : null}
    </>
  );
}
