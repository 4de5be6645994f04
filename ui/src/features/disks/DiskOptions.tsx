import { type ReactNode, type SubmitEvent, useId, useState } from "react";
import { Button, Note, Select, SettingRow, Switch, TextField } from "../../components";
import type { DiskBus, DiskCache, DiskDetails, Machine } from "../../data";
import { t } from "../../i18n";
import { useMachineActions } from "../machine/use-actions";
import { whyNot } from "./disk-words";
import type { DiskActions } from "./use-disk-actions";

const BUSES: DiskBus[] = ["virtio", "scsi", "nvme", "sata", "usb"];
const CACHES: DiskCache[] = ["writeback", "none", "writethrough", "unsafe"];
const LABEL_MAX = 120;

interface Props {
  machine: Machine;
  disk: DiskDetails;
  actions: DiskActions;
}

/** What a disk can be, each with what it means; saved as it is changed. */
export function DiskOptions({ machine, disk, actions }: Props) {
  const why = whyNot("options", machine, disk.attached);
  const whyId = useId();
  const { stop } = useMachineActions();
  const locked = why !== null;
  const off = { unavailable: locked, describedBy: locked ? whyId : undefined };
  const threaded = disk.bus === "virtio" || disk.bus === "scsi";
  const row = (key: "bus" | "cache" | "discard" | "iothread" | "readOnly", detail: string, control: ReactNode) => (
    <SettingRow title={t(`disks.option.${key}`)} detail={detail} muted={locked} control={control} />
  );
  return (
    <div className="disk-options">
      <LabelField disk={disk} onSave={(label) => actions.change(disk, { label })} />
      {why ? (
        <Note tone="locked" id={whyId}>
          <span className="t2">{why}</span>{" "}
          {machine.state === "running" ? (
            <button type="button" className="link" onClick={() => stop(machine)}>
              {t("edit.stopAndChange")}
            </button>
          ) : null}
        </Note>
      ) : null}
      {row(
        "bus",
        t(`disks.busHelp.${disk.bus}`),
        <Select
          label={t("disks.option.bus")}
          value={disk.bus}
          options={BUSES.map((bus) => ({ value: bus, label: t(`disks.bus.${bus}`), detail: t(`disks.busHelp.${bus}`) }))}
          onChange={(bus) => actions.change(disk, { bus })}
          {...off}
        />,
      )}
      {row(
        "cache",
        t(`disks.cacheHelp.${disk.cache}`),
        <Select
          label={t("disks.option.cache")}
          value={disk.cache}
          options={CACHES.map((cache) => ({
            value: cache,
            label: t(`disks.cache.${cache}`),
            detail: t(`disks.cacheHelp.${cache}`),
          }))}
          onChange={(cache) => actions.change(disk, { cache })}
          {...off}
        />,
      )}
      {row(
        "discard",
        t("disks.discardHelp"),
        <Switch
          label={t("disks.option.discard")}
          checked={disk.discard}
          onChange={(discard) => actions.change(disk, { discard })}
          {...off}
        />,
      )}
      {row(
        "iothread",
        t(threaded ? "disks.iothreadHelp" : "disks.iothreadNo"),
        <Switch
          label={t("disks.option.iothread")}
          checked={disk.iothread}
          onChange={(iothread) => actions.change(disk, { iothread })}
          unavailable={locked || !threaded}
          describedBy={off.describedBy}
        />,
      )}
      {row(
        "readOnly",
        t("disks.readOnlyHelp"),
        <Switch
          label={t("disks.option.readOnly")}
          checked={disk.read_only}
          onChange={(read_only) => actions.change(disk, { read_only })}
          {...off}
        />,
      )}
      <SettingRow
        stacked
        title={t("disks.option.file")}
        detail={<span className="mono t3 selectable disk-path">{disk.linked ?? disk.path}</span>}
      />
    </div>
  );
}

/** Words can be changed at any time. */
function LabelField({ disk, onSave }: { disk: DiskDetails; onSave: (label: string) => void }) {
  const [label, setLabel] = useState(disk.label ?? "");
  const changed = label.trim() !== (disk.label ?? "");
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (changed) onSave(label.trim());
  };
  return (
    <form className="disk-label" onSubmit={submit}>
      <TextField
        label={t("disks.option.label")}
        hint={t("disks.labelHelp")}
        value={label}
        onChange={setLabel}
        maxLength={LABEL_MAX}
      />
      <Button type="submit" unavailable={!changed}>
        {t("disks.saveLabel")}
      </Button>
    </form>
  );
}
