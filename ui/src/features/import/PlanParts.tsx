import { Check, HardDrive, Minus, Network, Pencil } from "lucide-react";
import { Icon } from "../../components";
import { formatBytes, type ImportPlan } from "../../data";
import { t } from "../../i18n";
import { joinWords } from "../activity/job-words";
import { byFate } from "./fates";

const MARKS = {
  kept: { icon: Check, className: "ok-text" },
  changed: { icon: Pencil, className: "accent-text" },
  dropped: { icon: Minus, className: "warn-text" },
};

/** What becomes of everything that was found: what stays, what changes, what is left out, each with why. */
export function Fates({ plan }: { plan: ImportPlan }) {
  return (
    <>
      {byFate(plan.items).map(({ fate, lines }) => (
        <section key={fate} className="import-fates">
          <h4 className="sec row">
            <Icon icon={MARKS[fate].icon} size={14} className={MARKS[fate].className} />
            {t(`import.fate.${fate}`)}
            <span className="t3 num">{lines.length}</span>
          </h4>
          <ul aria-label={t(`import.fate.${fate}`)}>
            {lines.map((line) => (
              <li key={line.what} className="import-wrap">
                {line.what}
                {line.why ? <span className="t3 t12 import-why">{line.why}</span> : null}
              </li>
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}

/** The disks and NICs of a machine, where there is more to say than of one disk. */
export function Hardware({ plan }: { plan: ImportPlan }) {
  if (plan.disks.length < 2 && plan.nics.length === 0) return null;
  return (
    <section>
      <h4 className="sec import-title">{t("import.hardware")}</h4>
      <ul className="card" aria-label={t("import.hardware")}>
        {plan.disks.map((disk, index) => (
          <li className="li compact" key={`${disk.name} ${index}`}>
            <Icon icon={HardDrive} className="t3" />
            <span className="grow import-wrap">
              <span className="medium">{disk.name}</span>{" "}
              <span className="t3 t12">{joinWords([disk.description, disk.partitions.join(", ")])}</span>
            </span>
            <span className="t2 num import-end">
              {disk.capacity > 0 ? formatBytes(disk.capacity) : t("import.sizeLater")}
            </span>
          </li>
        ))}
        {plan.nics.map((nic, index) => (
          <li className="li compact" key={`${nic.mac ?? ""} ${index}`}>
            <Icon icon={Network} className="t3" />
            <span className="grow import-wrap">
              <span className="medium">{nic.connection}</span>{" "}
              {nic.connected ? null : <span className="t3 t12">{t("import.unplugged")}</span>}
            </span>
            <span className="t2 mono import-end">{nic.mac ?? t("import.macNew")}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
