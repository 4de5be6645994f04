import { Camera, CircleDot, Download, GitBranch, type LucideIcon, Pencil, Power, Trash2 } from "lucide-react";
import { Icon } from "../../components";
import { formatMoment, type Machine, useActivity } from "../../data";
import { t } from "../../i18n";

const ICONS: Record<string, LucideIcon> = {
  "snapshot.taken": Camera,
  "snapshot.restored": GitBranch,
  "snapshot.changed": Pencil,
  "snapshot.deleted": Trash2,
  "machine.added": Download,
  "machine.state": Power,
  "machine.changed": Pencil,
};

const SHOWN = 5;

/** What happened to the machine lately. */
export function Recent({ machine }: { machine: Machine }) {
  const { data: activity = [] } = useActivity();
  const mine = activity.filter((entry) => entry.machine === machine.id).slice(0, SHOWN);
  if (mine.length === 0) return null;
  return (
    <section aria-label={t("recent.title")}>
      <h2 className="sec">{t("recent.title")}</h2>
      <ul className="card">
        {mine.map((entry, index) => (
          <li className="li compact plain" key={`${entry.at}:${index}`}>
            <span className="t3 row">
              <Icon icon={ICONS[entry.kind] ?? CircleDot} />
            </span>
            <span className="grow trunc" title={entry.message}>
              {entry.message}
            </span>
            <span className="t3 t12 num">{formatMoment(entry.at)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
