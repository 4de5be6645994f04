import { formatBytes, formatNumber, GIB } from "../../data";
import type { HostInfo, HostUsage } from "../../data";
import { t } from "../../i18n";
import type { Draft } from "./draft";
import type { CardArch } from "./gallery";

interface Props {
  host: HostInfo | undefined;
  usage: HostUsage | undefined;
  draft: Draft;
  arch: CardArch;
}

/** What the machine would take of this computer, beside what is in use. Shows only what was measured. */
export function HostBudget({ host, usage, draft, arch }: Props) {
  if (!host) return null;
  const memoryFree = usage?.memory_free ?? host.memory_free;
  const memoryUsed = Math.max(0, host.memory - memoryFree);
  const memoryNew = draft.memory * GIB;
  const diskFree = usage?.disk_free ?? host.disk_free;
  const diskNew = arch.source.cached ? 0 : (arch.source.size ?? 0);
  const free = formatBytes(diskFree);
  return (
    <section className="card pad" aria-label={t("newvm.host")}>
      <div className="sec">{t("newvm.host")}</div>
      {usage ? (
        <Bar
          title={t("newvm.host.processor")}
          text={t("newvm.host.processorText", {
            new: draft.cpus,
            busy: formatNumber(usage.cpu, usage.cpu < 1 ? 1 : 0),
            total: host.cpus,
          })}
          used={usage.cpu / host.cpus}
          added={draft.cpus / host.cpus}
        />
      ) : null}
      <Bar
        title={t("newvm.memory")}
        text={t("newvm.host.memoryText", {
          new: formatBytes(memoryNew),
          used: formatBytes(memoryUsed),
          total: formatBytes(host.memory),
        })}
        used={memoryUsed / host.memory}
        added={memoryNew / host.memory}
      />
      <Bar
        title={t("newvm.disk")}
        text={
          arch.source.cached
            ? t("newvm.host.diskCached", { free })
            : diskNew > 0
              ? t("newvm.host.diskText", { now: formatBytes(diskNew), free })
              : t("newvm.host.diskUnknown", { free })
        }
        used={host.disk_total > 0 ? 1 - diskFree / host.disk_total : 0}
        added={host.disk_total > 0 ? diskNew / host.disk_total : 0}
      />
      <div className="row t3 t11 newvm-budget-legend" aria-hidden="true">
        <span className="row">
          <i className="used" />
          {t("newvm.host.inUse")}
        </span>
        <span className="row">
          <i className="added" />
          {t("newvm.host.thisMachine")}
        </span>
        <span className="row">
          <i />
          {t("newvm.host.free")}
        </span>
      </div>
    </section>
  );
}

const percent = (share: number): string => `${Math.round(Math.max(0, Math.min(1, share)) * 1000) / 10}%`;

function Bar(props: { title: string; text: string; used: number; added: number }) {
  const used = Math.max(0, Math.min(1, props.used));
  const added = Math.min(Math.max(0, props.added), 1 - used);
  return (
    <div className="newvm-budget">
      <div className="row t12 newvm-budget-head">
        <span className="t2">{props.title}</span>
        <span className="num t3">{props.text}</span>
      </div>
      <div className="newvm-bar" aria-hidden="true">
        <i className="used" style={{ inlineSize: percent(used) }} />
        <i className={used + props.added > 1 ? "added over" : "added"} style={{ inlineSize: percent(added) }} />
      </div>
    </div>
  );
}
