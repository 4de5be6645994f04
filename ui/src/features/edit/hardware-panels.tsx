import { Copy, HardDrive } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { navigate } from "../../app/navigation";
import { Button, IconButton, Note, Segmented, Select, SettingRow, Slider } from "../../components";
import { type AcceleratorReport, formatBytes, GIB, type Machine, MIB, splitBytes, useDoctor, useHostUsage } from "../../data";
import { t } from "../../i18n";
import { copyText } from "../machine/use-actions";
import type { PanelProps } from "./edit-page";
import { LockedNote } from "./locked-note";

/** A number that follows the machine, and the user's hand while it is on the knob. */
function useDraft(value: number): [number, (value: number) => void] {
  const [draft, setDraft] = useState(value);
  useEffect(() => setDraft(value), [value]);
  return [draft, setDraft];
}

interface ValueProps {
  title: string;
  value: ReactNode;
  of: ReactNode;
}

function ValueLine({ title, value, of }: ValueProps) {
  return (
    <div className="edit-value">
      <span className="medium">{title}</span>
      <span className="num">
        <b className="semi">{value}</b> <span className="t3">{of}</span>
      </span>
    </div>
  );
}

export function ProcessorPanel({ edit }: PanelProps) {
  const { machine, locked, save } = edit;
  const { data: report } = useDoctor();
  const host = report?.host.cpus ?? machine.cpus;
  const [cpus, setCpus] = useDraft(machine.cpus);
  return (
    <>
      <div className="setting stacked">
        <ValueLine title={t("edit.cores")} value={cpus} of={t("edit.coresOf", { total: host })} />
        <Slider
          label={t("edit.cores")}
          value={cpus}
          min={1}
          max={Math.max(host, machine.cpus)}
          valueText={t("edit.coresValue", { cores: cpus })}
          minText="1"
          maxText={String(Math.max(host, machine.cpus))}
          unavailable={locked}
          describedBy={locked ? "locked-cores" : undefined}
          onChange={setCpus}
          onCommit={(value) => {
            if (!locked) save("cpus", value, machine.cpus);
          }}
        />
        {cpus > host ? <Note tone="warn">{t("edit.moreThanHost", { total: host })}</Note> : null}
        <LockedNote edit={edit} id="locked-cores" reason="edit.lockedProcessor" />
      </div>
      <AcceleratorRow edit={edit} accelerators={report?.accelerators ?? []} />
    </>
  );
}

function AcceleratorRow({ edit, accelerators }: PanelProps & { accelerators: AcceleratorReport[] }) {
  const { machine, locked, save } = edit;
  const chosen = machine.accelerator_choice;
  const mine = accelerators.filter((one) => one.arch === machine.arch && one.name !== "tcg");
  const options: { value: Machine["accelerator_choice"]; label: string; detail?: string }[] = [
    { value: "auto", label: t("edit.acceleratorAuto") },
    ...mine.map((one) => ({
      value: one.name,
      label: t("edit.acceleratorNamed", { name: one.name }),
      ...(one.usable ? {} : { detail: t("edit.acceleratorUnfit", { reason: one.reason }) }),
    })),
    { value: "tcg", label: t("edit.acceleratorTcg") },
  ];
  return (
    <SettingRow
      title={t("edit.accelerator")}
      detail={t("edit.acceleratorDetail")}
      muted={locked}
      control={
        <Select
          label={t("edit.accelerator")}
          value={chosen}
          options={options}
          unavailable={locked}
          describedBy={locked ? "locked-accelerator" : undefined}
          onChange={(value) => save("accelerator", value, chosen)}
        />
      }
      why={locked ? <LockedNote edit={edit} id="locked-accelerator" reason="edit.lockedProcessor" /> : null}
    />
  );
}

/** Steps of the memory slider: fine below 4 GB, whole gigabytes above. */
const LEAST = 128 * MIB;
const snap = (bytes: number): number => {
  const step = bytes < 4 * GIB ? 256 * MIB : GIB;
  return Math.max(LEAST, Math.round(bytes / step) * step);
};

export function MemoryPanel({ edit }: PanelProps) {
  const { machine, locked, save } = edit;
  const { data: report } = useDoctor();
  const { data: stats } = useHostUsage();
  const host = stats?.host.memory ?? report?.host.memory ?? machine.memory;
  const free = stats?.host.memory_free ?? report?.host.memory_free;
  const [memory, setMemory] = useDraft(machine.memory);
  const shown = splitBytes(memory);
  return (
    <div className="setting stacked">
      <ValueLine
        title={t("edit.memory")}
        value={shown.value}
        of={`${shown.unit} ${t("edit.memoryOf", { total: formatBytes(host) })}`}
      />
      <Slider
        label={t("edit.memory")}
        value={memory}
        min={256 * MIB}
        max={Math.max(host, machine.memory)}
        step={256 * MIB}
        valueText={formatBytes(memory)}
        minText={formatBytes(256 * MIB)}
        maxText={formatBytes(Math.max(host, machine.memory))}
        busyFrom={free}
        busyText={free === undefined ? undefined : t("edit.freeNow", { size: formatBytes(free) })}
        unavailable={locked}
        describedBy={locked ? "locked-memory" : undefined}
        onChange={(value) => setMemory(snap(value))}
        onCommit={(value) => {
          if (!locked) save("memory", snap(value), machine.memory);
        }}
      />
      {free !== undefined && memory > free && !locked ? <Note tone="warn">{t("edit.beyondFree")}</Note> : null}
      <LockedNote edit={edit} id="locked-memory" reason="edit.lockedMemory" />
    </div>
  );
}

export function DiskPanel({ edit }: PanelProps) {
  const { disks } = edit.machine;
  const { id: machine } = edit.machine;
  return (
    <>
      <SettingRow
        title={t("edit.disksTitle")}
        detail={t("edit.disksDetail")}
        control={
          <Button icon={HardDrive} onPress={() => navigate({ page: "disks", machine })}>
            {t("edit.showDisks")}
          </Button>
        }
      />
      {disks.length === 0 ? <Note>{t("edit.noDisk")}</Note> : null}
      {disks.map((disk, index) => (
        <SettingRow
          key={disk.id}
          title={disk.label ?? t("edit.diskNumber", { number: index + 1 })}
          detail={
            <>
              {t("edit.diskUse", { used: formatBytes(disk.used), capacity: formatBytes(disk.capacity) })}
              {disk.read_only ? ` · ${t("edit.diskReadOnly")}` : ""}
              <span className="mono t3 selectable edit-path"> {disk.path}</span>
            </>
          }
          control={
            <IconButton icon={Copy} label={t("edit.copyPath")} onPress={() => copyText(disk.path, t("edit.path"))} />
          }
        />
      ))}
    </>
  );
}

const SIZES: [number, number][] = [
  [800, 600],
  [1024, 768],
  [1280, 800],
  [1280, 1024],
  [1440, 900],
  [1600, 1200],
  [1920, 1080],
  [1920, 1200],
  [2560, 1440],
  [3840, 2160],
];

export function DisplayPanel({ edit }: PanelProps) {
  const { machine, locked, save } = edit;
  const value = machine.resolution.join("x");
  const sizes = SIZES.some((size) => size.join("x") === value) ? SIZES : [machine.resolution, ...SIZES];
  return (
    <SettingRow
      title={t("edit.resolution")}
      detail={t("edit.resolutionDetail")}
      muted={locked}
      control={
        <Select
          label={t("edit.resolution")}
          value={value}
          unavailable={locked}
          describedBy={locked ? "locked-display" : undefined}
          options={sizes.map(([width, height]) => ({
            value: `${width}x${height}`,
            label: t("edit.resolutionValue", { width: String(width), height: String(height) }),
          }))}
          onChange={(wanted) => save("display.resolution", wanted, value)}
        />
      }
      why={locked ? <LockedNote edit={edit} id="locked-display" reason="edit.lockedDisplay" /> : null}
    />
  );
}

const ORDERS = [
  ["disk", "media", "network"],
  ["media", "disk", "network"],
  ["network", "disk", "media"],
];

const bootName = (entry: string): string =>
  entry === "media" ? t("edit.boot.media") : entry === "network" ? t("edit.boot.network") : t("edit.boot.disk");

export function StartupPanel({ edit }: PanelProps) {
  const { machine, locked, save } = edit;
  const { boot_order: order, clock_local: clockLocal } = machine;
  const why = (id: string) =>
    locked ? <LockedNote edit={edit} id={id} reason="edit.lockedFirmware" /> : null;
  return (
    <>
      <SettingRow
        title={t("edit.bootOrder")}
        detail={t("edit.bootOrderDetail")}
        muted={locked}
        control={
          <Select
            label={t("edit.bootOrder")}
            value={order.join(",")}
            unavailable={locked}
            describedBy={locked ? "locked-boot" : undefined}
            options={[
              ...(order.length === 0 ? [{ value: "", label: t("edit.bootDefault") }] : []),
              ...(order.length > 0 && !ORDERS.some((one) => one[0] === order[0] && one.length === order.length)
                ? [{ value: order.join(","), label: t("edit.bootFirst", { first: bootName(order[0] ?? "") }) }]
                : []),
              ...ORDERS.map((one) => ({
                value: one.join(","),
                label: t("edit.bootFirst", { first: bootName(one[0] ?? "") }),
              })),
            ]}
            onChange={(value) => save("boot.order", value.split(",").filter(Boolean), order)}
          />
        }
        why={why("locked-boot")}
      />
      <SettingRow
        title={t("edit.firmware")}
        detail={t("edit.firmwareDetail")}
        muted={locked}
        control={
          <Select
            label={t("edit.firmware")}
            value={machine.firmware}
            unavailable={locked}
            describedBy={locked ? "locked-firmware" : undefined}
            options={[
              { value: "uefi", label: t("edit.uefi") },
              { value: "bios", label: t("edit.bios") },
            ]}
            onChange={(value) => save("firmware", value, machine.firmware)}
          />
        }
        why={why("locked-firmware")}
      />
      <SettingRow
        title={t("edit.clock")}
        detail={t("edit.clockDetail")}
        control={
          <Segmented
            label={t("edit.clock")}
            value={clockLocal ? "local" : "utc"}
            options={[
              { value: "utc", label: t("edit.clockUtc") },
              { value: "local", label: t("edit.clockLocal") },
            ]}
            onChange={(value) => {
              if (!locked) save("clock", value, clockLocal ? "local" : "utc");
            }}
          />
        }
        why={why("locked-clock")}
      />
    </>
  );
}
