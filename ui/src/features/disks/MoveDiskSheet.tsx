import { useState } from "react";
import { Button, errorText, Note, Select, Sheet, toast } from "../../components";
import { type Machine, useAttachDisk, useDisks, useMachines } from "../../data";
import { t } from "../../i18n";
import { isActive } from "../library/tree-model";
import { diskName } from "./disk-words";
import { trackJob } from "./tracked";

interface Props {
  machine: Machine;
  disk: string;
  onClose: () => void;
}

/** A disk leaves this machine for another one. */
export function MoveDiskSheet({ machine, disk: id, onClose }: Props) {
  const { data: machines = [] } = useMachines();
  const disk = useDisks(machine.id).data?.find((one) => one.id === id);
  const attach = useAttachDisk();
  const others = machines.filter((one) => one.id !== machine.id && one.state !== "creating");
  const [chosen, setChosen] = useState<string | null>(null);
  const to = others.find((one) => one.id === chosen) ?? others[0];
  if (!disk) return null;
  const name = diskName(disk);
  const title = t("disks.moveTitle", { name });
  const failure = attach.error ? errorText(attach.error) : null;
  const move = () => {
    if (!to) return;
    attach.mutate(
      { id: machine.id, disk: id, to: to.id },
      {
        onSuccess: ({ job, notes }) => {
          if (job) trackJob(id, job);
          toast({
            title: t(job ? "disks.moving" : "disks.movedTo", { name, machine: to.name }),
            detail: notes.join(" "),
            key: `disk:${id}`,
          });
          onClose();
        },
      },
    );
  };
  return (
    <Sheet
      label={title}
      title={title}
      onClose={onClose}
      width={520}
      footer={
        <>
          <span className="grow" />
          <Button size="lg" onPress={onClose}>
            {t("common.cancel")}
          </Button>
          <Button size="lg" variant="primary" isPending={attach.isPending} unavailable={!to} onPress={move}>
            {t("disks.moveConfirm")}
          </Button>
        </>
      }
    >
      <div className="sheet-body disk-sheet">
        <p className="t2">{t("disks.moveLead", { machine: machine.name })}</p>
        {to ? (
          <div>
            <span className="label">{t("disks.moveTo")}</span>
            <Select
              label={t("disks.moveTo")}
              value={to.id}
              options={others.map((one) => ({
                value: one.id,
                label: one.name,
                ...(isActive(one) ? { detail: t("disks.moveRunning") } : {}),
              }))}
              onChange={setChosen}
            />
          </div>
        ) : (
          <Note>{t("disks.moveNowhere")}</Note>
        )}
        {machine.snapshots > 0 ? <Note>{t("disks.moveSnapshots")}</Note> : null}
        {failure ? (
          <div role="alert">
            <Note tone="bad">
              <b className="medium">{t("disks.notMoved")}</b> {failure.message} {failure.hint}
            </Note>
          </div>
        ) : null}
      </div>
    </Sheet>
  );
}
