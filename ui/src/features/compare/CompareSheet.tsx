import { ArrowRight } from "lucide-react";
import { useState } from "react";
import { Button, errorText, Icon, Note, Ring, Select, Sheet } from "../../components";
import { type Comparison, formatBytes, formatMoment, type Machine, useComparison, useSnapshots } from "../../data";
import { t } from "../../i18n";
import { durationText } from "../library/status-line";
import "./compare.css";
import { settingName } from "./setting-name";

/** The present, among ids of snapshots. */
const NOW = "now";

interface Props {
  machine: Machine;
  /** Id of the snapshot to compare from. */
  from?: string;
  onClose: () => void;
}

/** What changed between two points of a machine: settings, disks, memory. */
export function CompareSheet({ machine, from: asked, onClose }: Props) {
  const { data: list } = useSnapshots(machine.id);
  const [chosen, setChosen] = useState<string | null>(asked ?? null);
  const [to, setTo] = useState<string>(NOW);
  const snapshots = [...(list?.snapshots ?? [])].reverse();
  const from = chosen ?? list?.current ?? snapshots[0]?.id ?? null;
  const options = snapshots.map((one) => ({
    value: one.id,
    label: one.name,
    detail: formatMoment(one.created_at),
  }));
  const { data, error, isFetching } = useComparison(machine.id, from, to === NOW ? null : to);
  const failure = error ? errorText(error) : null;
  return (
    <Sheet
      label={t("compare.title")}
      title={t("compare.title")}
      onClose={onClose}
      width={680}
      footer={
        <>
          <span className="grow" />
          <Button size="lg" onPress={onClose}>
            {t("common.close")}
          </Button>
        </>
      }
    >
      <div className="sheet-body compare-body">
        <div className="compare-points">
          <Select label={t("compare.from")} value={from ?? ""} options={options} onChange={setChosen} />
          <Icon icon={ArrowRight} className="t3" />
          <Select
            label={t("compare.to")}
            value={to}
            options={[{ value: NOW, label: t("snapshots.now") }, ...options].filter((one) => one.value !== from)}
            onChange={setTo}
          />
        </div>
        {failure ? (
          <div role="alert">
            <Note tone="bad">
              <b className="medium">{t("compare.failed")}</b> {failure.message} {failure.hint}
            </Note>
          </div>
        ) : data ? (
          <Result machine={machine} comparison={data} stale={isFetching} />
        ) : (
          <p className="row t2" role="status">
            <Ring value={null} />
            {t("compare.reading")}
          </p>
        )}
      </div>
    </Sheet>
  );
}

interface ResultProps {
  machine: Machine;
  comparison: Comparison;
  stale: boolean;
}

function Result({ machine, comparison, stale }: ResultProps) {
  const { from, to, settings, disks, seconds_between: seconds } = comparison;
  // The present has no memory file, whether it runs or not: that is no difference.
  const memoryDiffers = to.id !== null && from.memory !== to.memory;
  const has = (memory: boolean) => t(memory ? "compare.memoryThere" : "compare.memoryNone");
  const diskName = (id: string) => {
    const at = machine.disks.findIndex((disk) => disk.id === id);
    return at < 0 ? t("compare.oldDisk") : t("edit.diskNumber", { number: at + 1 });
  };
  return (
    <>
      <p className="t2 num" aria-busy={stale}>
        {seconds < 60
          ? t("compare.betweenLittle")
          : t("compare.between", { duration: durationText(seconds * 1000) })}
      </p>
      <table className="compare-table" aria-label={t("compare.settings")}>
        <thead>
          <tr>
            <th scope="col">{t("compare.setting")}</th>
            <th scope="col">{t("compare.before")}</th>
            <th scope="col">{t("compare.after")}</th>
          </tr>
        </thead>
        <tbody>
          {settings.map((setting) => (
            <tr key={setting.key}>
              <th scope="row">{settingName(setting.key)}</th>
              <td>{setting.before || <span className="t3">{t("compare.nothing")}</span>}</td>
              <td>{setting.after || <span className="t3">{t("compare.nothing")}</span>}</td>
            </tr>
          ))}
          {memoryDiffers ? (
            <tr>
              <th scope="row">{t("compare.memory")}</th>
              <td>{has(from.memory)}</td>
              <td>{has(to.memory)}</td>
            </tr>
          ) : null}
          {settings.length === 0 && !memoryDiffers ? (
            <tr>
              <td colSpan={3} className="t3">
                {t("compare.sameSettings")}
              </td>
            </tr>
          ) : null}
        </tbody>
      </table>
      <table className="compare-table" aria-label={t("compare.disks")}>
        <thead>
          <tr>
            <th scope="col">{t("compare.disk")}</th>
            <th scope="col">{t("compare.written")}</th>
          </tr>
        </thead>
        <tbody>
          {disks.map((disk) => (
            <tr key={disk.id}>
              <th scope="row">{diskName(disk.id)}</th>
              <td className="num">
                {disk.written > 0 ? t("compare.atMost", { size: formatBytes(disk.written) }) : t("compare.sameDisk")}
              </td>
            </tr>
          ))}
          {disks.length === 0 ? (
            <tr>
              <td colSpan={2} className="t3">
                {t("compare.sameDisks")}
              </td>
            </tr>
          ) : null}
        </tbody>
      </table>
    </>
  );
}
