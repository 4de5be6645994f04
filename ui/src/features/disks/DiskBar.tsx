import { formatBytes, type DiskDetails } from "../../data";
import { t } from "../../i18n";
import { barTotal, partsOf } from "./disk-words";

/** Where a disk's bytes are on this computer: a bar, and the same in words. */
export function DiskBar({ disk }: { disk: DiskDetails }) {
  const parts = partsOf(disk);
  const total = barTotal(disk, parts);
  return (
    <div className="disk-space">
      <div className="disk-bar" aria-hidden="true">
        {parts.map((part) => (
          <i key={part.role} className={part.role} style={{ inlineSize: `${(part.bytes / total) * 100}%` }} />
        ))}
      </div>
      <dl className="disk-parts num" aria-label={t("disks.space")}>
        {parts.map((part) => (
          <div key={part.role}>
            <dt>
              <span className={`disk-dot ${part.role}`} aria-hidden="true" />
              {t(`disks.part.${part.role}`)}
            </dt>
            <dd className="medium">{formatBytes(part.bytes)}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}
