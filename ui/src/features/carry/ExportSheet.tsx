import { Info } from "lucide-react";
import { useMemo, useState } from "react";
import { Button, errorText, Icon, Note, RadioList, Ring, Select, Sheet, Switch, SettingRow, toast } from "../../components";
import {
  type ExportFormat,
  type ExportPlan,
  type ExportRequest,
  formatBytes,
  formatMoment,
  type Machine,
  useDisks,
  useExportMachine,
  useExportPlan,
  useHostUsage,
  useSnapshots,
} from "../../data";
import { t } from "../../i18n";
import { diskName } from "../disks/disk-words";
import "./carry.css";
import { endingOf, exportName, formatsFor } from "./formats";
import { OverwriteSheet } from "./OverwriteSheet";
import { PathField } from "./PathField";
import { folderOf, isAbsolute, proposedPath, rememberFolder, withEnding } from "./paths";

const NOW = "now";
const ALL = "all";

interface Props {
  machine: Machine;
  /** Id of the only disk. */
  disk?: string;
  /** Id of the snapshot. */
  snapshot?: string;
  onClose: () => void;
}

/** A machine or one of its disks as files that other programs read. What they can't hold is said before. */
export function ExportSheet({ machine, disk: oneDisk, snapshot: asked, onClose }: Props) {
  const { data: disks = [] } = useDisks(machine.id);
  const { data: list } = useSnapshots(machine.id);
  const free = useHostUsage().data?.host.disk_free;
  const exporting = useExportMachine();
  const [disk, setDisk] = useState(oneDisk ?? ALL);
  const [snapshot, setSnapshot] = useState(asked ?? NOW);
  const [chosen, setFormat] = useState<ExportFormat>(oneDisk ? "qcow2" : "ova");
  const [compress, setCompress] = useState(false);
  const number = disk === ALL ? null : (disks.find((one) => one.id === disk)?.number ?? 1);
  const formats = formatsFor(disk !== ALL);
  const format = formats.includes(chosen) ? chosen : "qcow2";
  const [path, setPath] = useState(() => proposedPath(exportName(machine.name, format, oneDisk ? number : null)));
  const [whole, setWhole] = useState(path);
  const [replacing, setReplacing] = useState(false);
  const to = path.trim();
  const request = useMemo<ExportRequest | null>(
    () =>
      isAbsolute(whole)
        ? {
            to: whole.trim(),
            format,
            ...(disk === ALL ? {} : { disk }),
            ...(snapshot === NOW ? {} : { snapshot }),
            ...(compress && format === "qcow2" ? { compress } : {}),
          }
        : null,
    [whole, format, disk, snapshot, compress],
  );
  const plan = useExportPlan(machine.id, request);
  const there = plan.data?.files.filter((file) => file.exists) ?? [];
  const needs = plan.data?.files.reduce((sum, file) => sum + file.estimate, 0) ?? 0;
  const noRoom = free !== undefined && needs > free;
  const title = t("carry.exportTitle", { name: machine.name });
  const refusal = plan.error ? errorText(plan.error) : null;
  const failure = exporting.error ? errorText(exporting.error) : null;
  const ready = request !== null && whole.trim() === to && plan.data !== undefined && !plan.isFetching;

  const pickFormat = (next: ExportFormat) => {
    setFormat(next);
    const renamed = withEnding(path, endingOf(next));
    setPath(renamed);
    setWhole(renamed);
  };
  const run = (overwrite: boolean) => {
    if (!request) return;
    setReplacing(false);
    exporting.mutate(
      { id: machine.id, request: { ...request, ...(overwrite ? { overwrite } : {}) } },
      {
        onSuccess: () => {
          rememberFolder(folderOf(request.to));
          toast({ tone: "info", title: t("carry.exporting", { name: machine.name }), detail: t("carry.inActivity") });
          onClose();
        },
      },
    );
  };
  if (replacing) {
    return (
      <OverwriteSheet
        paths={there.map((file) => file.path)}
        onConfirm={() => run(true)}
        onClose={() => setReplacing(false)}
      />
    );
  }
  return (
    <Sheet
      label={title}
      title={title}
      onClose={onClose}
      width={720}
      sticky
      footer={
        <>
          <span className={noRoom ? "grow num danger-text" : "t2 grow num"}>
            {plan.data ? t(noRoom ? "carry.noRoom" : "carry.needs", { size: formatBytes(needs), free: formatBytes(free ?? 0) }) : null}
          </span>
          <Button size="lg" onPress={onClose}>
            {t("common.cancel")}
          </Button>
          <Button
            size="lg"
            variant="primary"
            isPending={exporting.isPending}
            unavailable={!ready || noRoom}
            onPress={() => (there.length > 0 ? setReplacing(true) : run(false))}
          >
            {t(there.length > 0 ? "carry.exportReplace" : "carry.export")}
          </Button>
        </>
      }
    >
      <div className="sheet-body carry-body">
        <div className="carry-pair">
          <div>
            <span className="label">{t("carry.when")}</span>
            <Select
              label={t("carry.when")}
              value={snapshot}
              onChange={setSnapshot}
              options={[
                { value: NOW, label: t("carry.present"), ...(machine.state === "running" ? { detail: t("carry.presentRunning") } : {}) },
                ...[...(list?.snapshots ?? [])]
                  .reverse()
                  .map((one) => ({ value: one.id, label: one.name, detail: formatMoment(one.created_at) })),
              ]}
            />
          </div>
          <div>
            <span className="label">{t("carry.what")}</span>
            <Select
              label={t("carry.what")}
              value={disk}
              onChange={setDisk}
              options={[
                { value: ALL, label: t("carry.wholeMachine") },
                ...disks
                  .filter((one) => one.removed_at === null)
                  .map((one) => ({ value: one.id, label: diskName(one), detail: formatBytes(one.capacity) })),
              ]}
            />
          </div>
        </div>
        <div className="carry-formats">
          <span className="label">{t("carry.format")}</span>
          <RadioList
            label={t("carry.format")}
            value={format}
            onChange={pickFormat}
            options={formats.map((one) => ({
              value: one,
              label: t(`carry.format.${one}`),
              detail: t(`carry.formatDetail.${one}`),
            }))}
          />
        </div>
        {format === "qcow2" ? (
          <SettingRow
            title={t("carry.compress")}
            detail={t("carry.compressDetail")}
            control={<Switch label={t("carry.compress")} checked={compress} onChange={setCompress} />}
          />
        ) : null}
        <PathField
          label={t("carry.target")}
          value={path}
          onChange={setPath}
          onDone={setWhole}
          pick={{ kind: "save", title, name: exportName(machine.name, format, number) }}
          error={
            to !== "" && !isAbsolute(to)
              ? t("carry.notAbsolute")
              : refusal
                ? [refusal.message, refusal.hint].filter(Boolean).join(" ")
                : undefined
          }
        />
        {plan.isFetching ? (
          <p className="row t2" role="status">
            <Ring value={null} />
            {t("carry.planning")}
          </p>
        ) : plan.data ? (
          <PlanView plan={plan.data} />
        ) : null}
        {failure ? (
          <div role="alert">
            <Note tone="bad">
              <b className="medium">{t("carry.notExported")}</b> {failure.message} {failure.hint}
            </Note>
          </div>
        ) : null}
      </div>
    </Sheet>
  );
}

function PlanView({ plan }: { plan: ExportPlan }) {
  return (
    <section className="carry-plan" aria-label={t("carry.plan")}>
      <h3 className="sec">{t("carry.plan")}</h3>
      <ul className="card carry-files">
        {plan.files.map((file) => (
          <li key={file.path} className="li">
            <span className="grow mono selectable">{file.path}</span>
            {file.exists ? <span className="pill warn">{t("carry.exists")}</span> : null}
            <span className="t3 num">{t("carry.upTo", { size: formatBytes(file.estimate) })}</span>
          </li>
        ))}
      </ul>
      {plan.notes.length > 0 ? (
        <>
          <h3 className="sec">{t("carry.notCarried")}</h3>
          <ul className="carry-notes">
            {plan.notes.map((note) => (
              <li key={note} className="t2">
                <Icon icon={Info} size={14} />
                {note}
              </li>
            ))}
          </ul>
        </>
      ) : null}
    </section>
  );
}
