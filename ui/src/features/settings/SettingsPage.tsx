import { useMemo, useState } from "react";
import { navigate } from "../../app/navigation";
import { Page } from "../../app/page";
import { Button, errorText, Segmented, Select, SettingRow, toast } from "../../components";
import {
  formatBytes,
  formatMoment,
  useClient,
  useConfig,
  useDoctor,
  useService,
  useSetConfig,
  useTemplates,
  useTrash,
} from "../../data";
import { rich, t } from "../../i18n";
import { splitName } from "../newvm/gallery";
import { EmptyBinSheet } from "../trash";
import { MirrorRow } from "./MirrorRow";
import "./settings.css";

type Theme = "system" | "light" | "dark";
const THEMES: Theme[] = ["system", "light", "dark"];
const asText = (value: unknown): string => (typeof value === "string" ? value : "");
const mono = (chunks: React.ReactNode[]) => <span className="mono selectable settings-path">{chunks}</span>;

/** What the user may choose; every change is kept at once. */
export function SettingsPage() {
  const config = useConfig().data;
  const set = useSetConfig();
  const theme = THEMES.find((one) => one === config?.theme) ?? "system";
  const keep = (key: string, value: string) =>
    set.mutate(
      { key, value },
      {
        onError: (error) => {
          const { message, hint } = errorText(error);
          toast({ tone: "error", title: t("settings.failed"), detail: [message, hint].join(" ") });
        },
      },
    );

  return (
    <Page name={t("settings.title")}>
      <div className="scroll">
        <div className="page settings-page">
          <section aria-labelledby="settings-general">
            <h2 className="sec" id="settings-general">
              {t("settings.general")}
            </h2>
            <div className="card">
              <SettingRow
                title={t("settings.appearance")}
                control={
                  <Segmented
                    label={t("settings.appearance")}
                    value={theme}
                    options={THEMES.map((value) => ({ value, label: t(`settings.appearance.${value}`) }))}
                    onChange={(value) => keep("theme", value)}
                  />
                }
              />
              <SettingRow
                title={t("settings.language")}
                detail={t("settings.language.detail")}
                control={
                  <Select
                    label={t("settings.language")}
                    value="en"
                    options={[{ value: "en", label: t("settings.language.en") }]}
                    onChange={(value) => keep("language", value)}
                    className="settings-select"
                  />
                }
              />
              <SettingRow
                title={t("settings.close")}
                detail={t("settings.close.detail")}
                control={
                  <Select
                    label={t("settings.close")}
                    value="keep"
                    options={[{ value: "keep", label: t("settings.close.keep") }]}
                    onChange={() => undefined}
                    className="settings-select"
                  />
                }
              />
            </div>
          </section>
          <LibrarySection />
          <MirrorSection config={config ?? {}} />
          <section aria-labelledby="settings-display">
            <h2 className="sec" id="settings-display">
              {t("settings.display")}
            </h2>
            <div className="card">
              <SettingRow
                title={t("settings.release")}
                detail={t("settings.release.detail")}
                control={
                  <span className="row settings-keys">
                    <kbd className="kbd">Ctrl</kbd>
                    <kbd className="kbd">Alt</kbd>
                  </span>
                }
              />
            </div>
          </section>
          <AboutSection />
        </div>
      </div>
    </Page>
  );
}

function LibrarySection() {
  const { platform } = useClient();
  const service = useService().data;
  const free = useDoctor().data?.host.disk_free;
  const trash = useTrash().data ?? [];
  const [confirming, setConfirming] = useState(false);
  const size = formatBytes(trash.reduce((sum, entry) => sum + entry.size, 0));
  return (
    <section aria-labelledby="settings-library">
      <h2 className="sec" id="settings-library">
        {t("settings.library")}
      </h2>
      <div className="card">
        <SettingRow
          title={t("settings.folder")}
          detail={
            service
              ? free === undefined
                ? mono([service.data_dir])
                : rich("settings.folder.detail", {
                    mono,
                    folder: service.data_dir,
                    free: formatBytes(free),
                  })
              : null
          }
          control={
            service ? (
              <Button onPress={() => void platform.showInFolder(service.data_dir).catch(() => undefined)}>
                {t("settings.showInFolder")}
              </Button>
            ) : null
          }
        />
        <SettingRow
          title={t("settings.space")}
          detail={t("settings.spaceDetail")}
          control={
            <Button onPress={() => navigate({ page: "space" })}>{t("settings.freeSpace")}</Button>
          }
        />
        <SettingRow
          title={t("settings.bin")}
          detail={<span id="settings-bin-detail">{t("trash.holds", { count: trash.length, size })}</span>}
          control={
            <span className="row">
              <Button variant="quiet" onPress={() => navigate({ page: "trash" })}>
                {t("settings.openBin")}
              </Button>
              <Button
                variant="danger"
                unavailable={trash.length === 0}
                aria-describedby="settings-bin-detail"
                onPress={() => setConfirming(true)}
              >
                {t("settings.emptyBin")}
              </Button>
            </span>
          }
        />
      </div>
      {confirming ? <EmptyBinSheet onClose={() => setConfirming(false)} /> : null}
    </section>
  );
}

function MirrorSection({ config }: { config: Record<string, unknown> }) {
  const { data: templates } = useTemplates();
  const families = useMemo(() => {
    const found = new Map<string, string>();
    for (const template of templates ?? []) {
      if (!found.has(template.family)) found.set(template.family, splitName(template.name).system);
    }
    return [...found];
  }, [templates]);
  if (families.length === 0) return null;
  return (
    <section aria-labelledby="settings-mirrors">
      <h2 className="sec" id="settings-mirrors">
        {t("settings.mirrors")}
      </h2>
      <p className="t3 settings-lead">{t("settings.mirrors.lead")}</p>
      <div className="card">
        {families.map(([family, name]) => (
          <MirrorRow key={family} family={family} name={name} value={asText(config[`mirror.${family}`])} />
        ))}
      </div>
    </section>
  );
}

function AboutSection() {
  const service = useService().data;
  if (!service) return null;
  return (
    <section aria-labelledby="settings-about">
      <h2 className="sec" id="settings-about">
        {t("settings.about")}
      </h2>
      <div className="card">
        <SettingRow
          title={t("settings.version", { version: service.version })}
          detail={t("settings.versionDetail", { since: formatMoment(service.started_at), pid: String(service.pid) })}
        />
      </div>
    </section>
  );
}
