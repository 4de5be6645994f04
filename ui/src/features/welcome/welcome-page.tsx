import { CircleCheck, Download, FolderOpen, Plus, TriangleAlert } from "lucide-react";
import { navigate } from "../../app/navigation";
import { Page } from "../../app/page";
import { openSheet } from "../../app/ui-state";
import { Button, Icon, Ring, Tile } from "../../components";
import { type Arch, type DoctorReport, formatBytes, type Template, useDoctor, useTemplates } from "../../data";
import { t } from "../../i18n";
import { NestArt } from "./nest-art";
import "./welcome.css";

/** Families offered for a quick start, by their names in the contract of names. */
const QUICK: [family: string, name: string][] = [
  ["ubuntu", "Ubuntu"],
  ["debian", "Debian"],
  ["alpine", "Alpine"],
];

/** The newest ready-made disk of a family that this computer runs best. */
function quickTemplate(templates: Template[], family: string, host: string | undefined): Template | undefined {
  const mine = templates.filter((one) => one.family === family);
  const suits = (one: Template) => (host && one.arches[host as Arch]?.kind === "cloud-image" ? 1 : 0);
  return mine.sort((a, b) => suits(b) - suits(a))[0];
}

function QuickStart({ report }: { report: DoctorReport | undefined }) {
  const { data: templates = [] } = useTemplates();
  const host = report?.host.arch;
  const cards = QUICK.flatMap(([family, name]) => {
    const template = quickTemplate(templates, family, host);
    return template ? [{ name, template }] : [];
  });
  if (cards.length === 0) return null;
  return (
    <div className="quick" role="group" aria-label={t("welcome.quickStart")}>
      {cards.map(({ name, template }) => {
        const arch = (host && template.arches[host as Arch] ? host : Object.keys(template.arches)[0]) as Arch;
        const image = template.arches[arch];
        return (
          <button
            key={template.id}
            type="button"
            className="card quick-card"
            aria-label={t("welcome.quickName", { system: name })}
            onClick={() => openSheet({ kind: "new-vm", template: template.id, arch })}
          >
            <Tile glyph={template.glyph} family={template.family} />
            <span className="col grow">
              <span className="medium trunc">{template.name}</span>
              <span className="t3 t12 quick-about">
                {image?.cached
                  ? t("welcome.cached")
                  : image?.size
                    ? t("welcome.download", { size: formatBytes(image.size) })
                    : template.summary}
              </span>
            </span>
          </button>
        );
      })}
    </div>
  );
}

/** What Doctor says, in one strip: ready with what, or what is slow and how to mend it. */
function DoctorStrip({ report }: { report: DoctorReport | undefined }) {
  if (!report) {
    return (
      <div className="card welcome-strip">
        <div className="li">
          <Ring value={null} />
          <span className="grow t2">{t("welcome.testing")}</span>
        </div>
      </div>
    );
  }
  const { host } = report;
  const native = report.accelerators.find((one) => one.usable && one.name !== "tcg");
  const doctor = () => navigate({ page: "doctor" });
  if (native && report.ok) {
    return (
      <div className="card welcome-strip">
        <div className="li">
          <span className="ok-text row">
            <Icon icon={CircleCheck} />
          </span>
          <div className="grow">
            <span className="medium">{t("welcome.ready")}</span>{" "}
            <span className="t3">
              {t("welcome.readyFacts", {
                accelerator: native.name.toUpperCase(),
                cores: host.cpus,
                memory: formatBytes(host.memory),
                free: formatBytes(host.disk_free),
              })}
            </span>
          </div>
          <Button variant="quiet" onPress={doctor}>
            {t("welcome.openDoctor")}
          </Button>
        </div>
      </div>
    );
  }
  const failed = report.checks.find((check) => check.status === "failed" || check.status === "missing");
  const mine = report.accelerators.find((one) => one.name !== "tcg" && one.arch === host.arch);
  const reason = report.ok ? [mine?.reason, mine?.cure].filter(Boolean).join(" ") : failed?.message;
  return (
    <div className="card welcome-strip">
      <div className="li top">
        <span className="warn-text row">
          <Icon icon={TriangleAlert} />
        </span>
        <div className="grow">
          <div className="medium">{t(report.ok ? "welcome.slow" : "welcome.notOk")}</div>
          <div className="t2 selectable">{reason || t("welcome.slowFallback")}</div>
        </div>
        <Button onPress={doctor}>{t("welcome.fix")}</Button>
      </div>
    </div>
  );
}

/** First run: one big action, three quick ones, and whether this computer is ready. */
export function WelcomePage() {
  const { data: report } = useDoctor();
  const fast = report?.accelerators.some((one) => one.usable && one.name !== "tcg") ?? true;
  return (
    <Page name={t("welcome.name")} title={null}>
      <div className="scroll welcome">
        <NestArt />
        <div className="welcome-head">
          <h1 className="h0">{t("welcome.title")}</h1>
          <p className="t2">{t(fast ? "welcome.lead" : "welcome.leadSlow")}</p>
        </div>
        <div className="row welcome-actions">
          <Button variant="primary" size="xl" icon={Plus} onPress={() => openSheet({ kind: "new-vm" })}>
            {t("shell.newVm")}
          </Button>
          <Button
            size="xl"
            icon={FolderOpen}
            aria-label={t("shell.importName")}
            onPress={() => openSheet({ kind: "import", paths: [] })}
          >
            {t("shell.import")}
          </Button>
        </div>
        <QuickStart report={report} />
        <div className="welcome-drop">
          <Icon icon={Download} className="t3" />
          <span>
            <span className="medium">{t("welcome.drop")}</span> <span className="t3">{t("welcome.dropFormats")}</span>
          </span>
        </div>
        <DoctorStrip report={report} />
      </div>
    </Page>
  );
}
