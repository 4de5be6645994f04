import { Note } from "../../components";
import { type BackupInfo, formatBytes, formatMoment } from "../../data";
import { t } from "../../i18n";
import "./carry.css";

/** What is in a backup. */
export function BackupFacts({ info }: { info: BackupInfo }) {
  return (
    <>
      <dl className="carry-facts">
        <div>
          <dt className="t3">{t("carry.made")}</dt>
          <dd className="medium num">{formatMoment(info.created_at)}</dd>
        </div>
        {info.system ? (
          <div>
            <dt className="t3">{t("import.system")}</dt>
            <dd className="medium">{info.system}</dd>
          </div>
        ) : null}
        <div>
          <dt className="t3">{t("carry.holds")}</dt>
          <dd className="medium num">{t("carry.holdsValue", { disks: info.disks, snapshots: info.snapshots })}</dd>
        </div>
        <div>
          <dt className="t3">{t("carry.restoredSize")}</dt>
          <dd className="medium num">{formatBytes(info.bytes)}</dd>
        </div>
      </dl>
      {info.notes.map((note) => (
        <Note key={note}>{note}</Note>
      ))}
    </>
  );
}
