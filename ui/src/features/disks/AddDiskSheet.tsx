import { type SubmitEvent, useState } from "react";
import { Amount, Button, errorText, Note, Ring, Segmented, Select, Sheet, TextField, toast } from "../../components";
import {
  type DiskBus,
  formatBytes,
  GIB,
  type Machine,
  splitBytes,
  useAddDisk,
  useHostUsage,
  useImportPlan,
  type FileAction,
} from "../../data";
import { t } from "../../i18n";
import { PathField } from "../carry/PathField";
import { ActionRadios } from "../import/ActionRadios";
import { possibleActions } from "../import/possible";
import { isActive } from "../library/tree-model";

const BUSES: DiskBus[] = ["virtio", "scsi", "nvme", "sata", "usb"];
const EXTENSIONS = ["qcow2", "img", "raw", "vmdk", "vdi", "vhd", "vhdx", "gz", "xz", "zst", "bz2", "zip"];
const MOST = 2048;

type Source = "empty" | "file";

interface Props {
  machine: Machine;
  onClose: () => void;
}

/** A new disk: empty, or from a disk image. */
export function AddDiskSheet({ machine, onClose }: Props) {
  const add = useAddDisk();
  const free = useHostUsage().data?.host.disk_free;
  const [source, setSource] = useState<Source>("empty");
  const [size, setSize] = useState(20);
  const [path, setPath] = useState("");
  const [asked, setAsked] = useState<string | null>(null);
  const [wanted, setWanted] = useState<FileAction>("copy");
  const [label, setLabel] = useState("");
  const [bus, setBus] = useState<DiskBus>("virtio");
  const plan = useImportPlan(source === "file" ? asked : null);
  const most = Math.max(64, Math.min(MOST, Math.floor((free ?? MOST * GIB) / GIB)));
  const parts = splitBytes(size * GIB);
  const possible = plan.data ? possibleActions(plan.data) : null;
  const action = possible && possible[wanted] !== null ? "copy" : wanted;
  const several = plan.data !== undefined && plan.data.disks.length !== 1;
  const ready = source === "empty" || (plan.data !== undefined && !several && asked === path.trim());
  const title = t("disks.addTitle", { name: machine.name });
  const failure = add.error ? errorText(add.error) : null;
  const refusal = plan.error ? errorText(plan.error) : null;

  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    // Enter in the path looks at the file; then the button adds it.
    if (source === "file" && asked !== path.trim()) {
      setAsked(path.trim() || null);
      return;
    }
    if (!ready || add.isPending) return;
    add.mutate(
      {
        id: machine.id,
        ...(source === "empty" ? { size: size * GIB } : { file: path.trim(), action }),
        ...(label.trim() ? { label: label.trim() } : {}),
        bus,
      },
      {
        onSuccess: ({ job, notes }) => {
          toast({ title: t(job ? "disks.adding" : "disks.added", { name: machine.name }), detail: notes.join(" ") });
          onClose();
        },
      },
    );
  };
  return (
    <Sheet label={title} title={title} onClose={onClose} width={560} sticky>
      <form className="sheet-form" onSubmit={submit}>
        <div className="sheet-body disk-sheet">
          <Segmented
            label={t("disks.source")}
            value={source}
            onChange={setSource}
            options={[
              { value: "empty", label: t("disks.source.empty") },
              { value: "file", label: t("disks.source.file") },
            ]}
          />
          {source === "empty" ? (
            <Amount
              label={t("disks.size")}
              shown={parts.value}
              unit={t("newvm.disk.unit", { unit: parts.unit })}
              value={size}
              min={1}
              max={most}
              valueText={formatBytes(size * GIB)}
              onChange={setSize}
              minText={formatBytes(GIB)}
              maxText={formatBytes(most * GIB)}
            />
          ) : (
            <>
              <PathField
                label={t("disks.file")}
                value={path}
                onChange={setPath}
                onDone={(done) => setAsked(done.trim() || null)}
                pick={{ kind: "open", title: t("disks.pickTitle"), extensions: EXTENSIONS, name: t("disks.pickTypes") }}
                error={refusal ? [refusal.message, refusal.hint].filter(Boolean).join(" ") : undefined}
              />
              {plan.isFetching ? (
                <p className="row t2" role="status">
                  <Ring value={null} />
                  {t("import.reading")}
                </p>
              ) : null}
              {plan.data && several ? <Note tone="warn">{t("disks.severalDisks", { count: plan.data.disks.length })}</Note> : null}
              {plan.data && !several ? (
                <>
                  <Note tone="ok">
                    {t("disks.recognised", {
                      description: plan.data.description,
                      disk: formatBytes(plan.data.disk),
                      size: formatBytes(plan.data.size),
                    })}
                  </Note>
                  <div>
                    <span className="label">{t("import.action")}</span>
                    <ActionRadios
                      value={action}
                      onChange={setWanted}
                      needs={plan.data.needs}
                      free={free}
                      impossible={possible}
                    />
                  </div>
                </>
              ) : null}
            </>
          )}
          <TextField
            label={t("disks.option.label")}
            hint={t("disks.labelHelp")}
            value={label}
            onChange={setLabel}
            maxLength={120}
          />
          <div>
            <span className="label">{t("disks.option.bus")}</span>
            <Select
              label={t("disks.option.bus")}
              value={bus}
              options={BUSES.map((one) => ({
                value: one,
                label: t(`disks.bus.${one}`),
                detail: t(`disks.busHelp.${one}`),
              }))}
              onChange={setBus}
            />
            <p className="hint">{t(`disks.busHelp.${bus}`)}</p>
          </div>
          {isActive(machine) ? <Note>{t("disks.addRunning")}</Note> : null}
          {failure ? (
            <div role="alert">
              <Note tone="bad">
                <b className="medium">{t("disks.notAdded")}</b> {failure.message} {failure.hint}
              </Note>
            </div>
          ) : null}
        </div>
        <footer className="sheet-foot">
          <span className="grow" />
          <Button size="lg" onPress={onClose}>
            {t("common.cancel")}
          </Button>
          <Button size="lg" variant="primary" type="submit" isPending={add.isPending} unavailable={!ready}>
            {t("disks.add")}
          </Button>
        </footer>
      </form>
    </Sheet>
  );
}
