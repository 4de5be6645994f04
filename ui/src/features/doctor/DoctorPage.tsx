import { Check as CheckIcon, CircleAlert, Copy, RotateCw, Snail, TriangleAlert } from "lucide-react";
import { Page } from "../../app/page";
import { Button, ErrorCard, Icon, Ring, Scroll, toast } from "../../components";
import {
  type Check,
  type DoctorReport,
  formatBytes,
  toApiError,
  useClient,
  useDoctor,
  useRunDoctor,
} from "../../data";
import { formatList, t, type MessageKey } from "../../i18n";
import { archName } from "../newvm/gallery";
import { timesText } from "../newvm/GalleryStep";
import { CheckRow } from "./CheckRow";
import "./doctor.css";
import { emulatedOf, type Group, GROUPS, groupOf, sortChecks, toneOf, uniqueChecks, verdictOf } from "./report";

const NAMED = new Set(["qemu-img", "space", "library"]);

/** A finding's title, by its id. */
function titleOf(check: Check): string {
  const [head = "", rest = ""] = check.id.split(/\.(.*)/s);
  if (head === "accelerator") {
    return check.status === "ok"
      ? t("doctor.check.acceleratorOk", { name: rest.toUpperCase() })
      : t("doctor.check.accelerator");
  }
  if (head === "qemu" || head === "firmware") return t(`doctor.check.${head}`, { arch: archName(rest) });
  return NAMED.has(check.id) ? t(`doctor.check.${check.id}` as MessageKey) : check.id;
}

/** The exact words of the accelerator's own test. */
function technicalOf(report: DoctorReport, check: Check): string | null {
  const name = /^accelerator\.(\w+)$/.exec(check.id)?.[1];
  return report.accelerators.find((entry) => entry.name === name && entry.technical)?.technical ?? null;
}

function summaryOf(report: DoctorReport): string {
  const { bad, warn } = verdictOf(report);
  const checks = t("doctor.checks", { count: uniqueChecks(report.checks).length });
  if (bad + warn === 0) return checks;
  const summary = t("doctor.summary", { bad, warn, both: bad > 0 ? (warn > 0 ? "yes" : "bad") : "warn" });
  return t("doctor.summaryLine", { summary, checks });
}

function asText(report: DoctorReport): string {
  const { host } = report;
  const lines = [
    `${host.system}, ${host.arch}, ${host.cpus} × CPU, ${formatBytes(host.memory)}, ${formatBytes(host.disk_free)}`,
    ...report.checks.map((check) =>
      t("doctor.report.line", {
        status: t(`doctor.status.${check.status}`),
        title: check.id,
        message: [check.message, check.technical].filter(Boolean).join(" | "),
      }),
    ),
    ...report.accelerators.map(
      (entry) =>
        `${entry.name} ${entry.arch}: ${entry.usable ? "ok" : "-"}${entry.tested ? "" : " (not tested)"} ${entry.reason}`,
    ),
  ];
  return lines.join("\n");
}

/** What this computer can do for machines, what hinders it, and the cure. */
export function DoctorPage() {
  const { platform } = useClient();
  const doctor = useDoctor();
  const run = useRunDoctor();
  const report = doctor.data;
  const busy = run.isPending || doctor.isFetching;
  const copy = (text: string, title: string, detail?: string) => {
    platform.copyText(text).then(
      () => toast({ title, detail, key: "doctor-copy" }),
      () => undefined,
    );
  };
  const failure = run.error ?? (report ? null : doctor.error);

  return (
    <Page
      name={t("doctor.title")}
      actions={
        <>
          {report ? (
            <Button variant="quiet" icon={Copy} onPress={() => copy(asText(report), t("doctor.reportCopied"))}>
              {t("doctor.copyReport")}
            </Button>
          ) : null}
          <Button {...(busy ? {} : { icon: RotateCw })} onPress={() => !busy && run.mutate()}>
            {busy ? <Ring value={null} /> : null}
            {t("doctor.runAgain")}
          </Button>
        </>
      }
    >
      <Scroll label={t("doctor.title")}>
        <div className="page" aria-busy={busy}>
          {failure ? (
            <ErrorCard
              title={t("doctor.failed")}
              error={toApiError(failure).info}
              onCopy={(text) => void platform.copyText(text)}
            />
          ) : null}
          {report ? (
            <Findings
              report={report}
              onCopy={(command) => copy(command, t("doctor.commandCopied"), t("doctor.pasteInTerminal"))}
            />
          ) : failure ? null : (
            <p className="t2 row" role="status">
              <Ring value={null} />
              {t("doctor.checking")}
            </p>
          )}
        </div>
      </Scroll>
    </Page>
  );
}

function Findings({ report, onCopy }: { report: DoctorReport; onCopy: (command: string) => void }) {
  const { headline } = verdictOf(report);
  const tone = { good: "ok", slow: "warn", partly: "warn", bad: "bad" }[headline];
  const icon = { good: CheckIcon, slow: Snail, partly: TriangleAlert, bad: CircleAlert }[headline];
  // Two columns of their own, so that a long card does not tear a hole into the other.
  const columns: Group[][] = [
    ["speed", "storage"],
    ["engine", "other"],
  ];
  const used = new Set(report.checks.map((check) => groupOf(check.id)));
  const emulated = emulatedOf(report).length > 0;
  return (
    <>
      <div className="row doctor-head">
        <span className={`doctor-badge ${tone}`}>
          <Icon icon={icon} size={20} />
        </span>
        <div className="grow">
          <h2 className="h1">{t(`doctor.${headline}`)}</h2>
          <p className="t2 num">{summaryOf(report)}</p>
        </div>
      </div>
      <div className="doctor-columns">
        {columns.map((groups) => (
          <div key={groups.join()} className="doctor-column">
            {groups
              .filter((group) => GROUPS.includes(group) && (used.has(group) || (group === "speed" && emulated)))
              .map((group) => (
                <section key={group} aria-label={t(`doctor.group.${group}`)}>
                  <h3 className="sec">{t(`doctor.group.${group}`)}</h3>
                  <ul className="card">
                    {sortChecks(uniqueChecks(report.checks).filter((check) => groupOf(check.id) === group)).map((check) => (
                      <CheckRow
                        key={`${check.id} ${check.message}`}
                        tone={toneOf(check, report.ok)}
                        title={titleOf(check)}
                        fix={check.fix}
                        technical={check.technical ?? technicalOf(report, check)}
                        prominent={group === "speed" && check.status !== "ok"}
                        onCopy={onCopy}
                      >
                        {check.message}
                      </CheckRow>
                    ))}
                    {group === "speed" && emulated ? <Emulated report={report} /> : null}
                  </ul>
                </section>
              ))}
            {groups.includes("other") ? <Host report={report} /> : null}
          </div>
        ))}
      </div>
    </>
  );
}

function Emulated({ report }: { report: DoctorReport }) {
  const entries = emulatedOf(report);
  const measured = entries.flatMap((entry) => (entry.slowdown ? [entry.slowdown] : []));
  const least = timesText(Math.min(...measured));
  const most = timesText(Math.max(...measured));
  return (
    <CheckRow
      tone="info"
      title={t("doctor.emulated", {
        archs: formatList(entries.map((entry) => archName(entry.arch))),
        count: entries.length,
      })}
      onCopy={() => undefined}
    >
      {measured.length === 0
        ? t("doctor.emulatedUnmeasured")
        : least === most
          ? t("doctor.emulatedTimes", { times: least })
          : t("doctor.emulatedRange", { least, most })}
    </CheckRow>
  );
}

function Host({ report }: { report: DoctorReport }) {
  const { host } = report;
  const rows: [string, string][] = [
    [t("doctor.host.system"), host.system],
    [t("doctor.host.processor"), t("doctor.host.processorValue", { count: host.cpus, arch: archName(host.arch) })],
    [
      t("doctor.host.memory"),
      t("doctor.host.memoryValue", { total: formatBytes(host.memory), free: formatBytes(host.memory_free) }),
    ],
    [
      t("doctor.host.disk"),
      t("doctor.host.memoryValue", { total: formatBytes(host.disk_total), free: formatBytes(host.disk_free) }),
    ],
  ];
  return (
    <section aria-label={t("doctor.group.host")}>
      <h3 className="sec">{t("doctor.group.host")}</h3>
      <dl className="card doctor-host">
        {rows.map(([term, value]) => (
          <div className="li compact" key={term}>
            <dt className="t2">{term}</dt>
            <dd className="grow num selectable">{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
