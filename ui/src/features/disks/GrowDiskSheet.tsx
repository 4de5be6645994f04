import { useState } from "react";
import { Amount, Button, errorText, Note, Sheet } from "../../components";
import { formatBytes, GIB, type Machine, splitBytes, useDisks, useHostUsage, useResizeDisk } from "../../data";
import { t } from "../../i18n";
import { diskName } from "./disk-words";

interface Props {
  machine: Machine;
  disk: string;
  onClose: () => void;
}

/** Whole gigabytes above what it has. */
export const leastGrowth = (capacity: number): number => Math.floor(capacity / GIB) + 1;
/** At least twice as large; up to what this computer has room for. */
export const mostGrowth = (capacity: number, free: number): number =>
  Math.max(leastGrowth(capacity) + 8, Math.ceil((2 * capacity) / GIB), Math.floor((capacity + free) / GIB));

/** A larger disk. What the guest has to do itself is told when it is done. */
export function GrowDiskSheet({ machine, disk: id, onClose }: Props) {
  const disk = useDisks(machine.id).data?.find((one) => one.id === id);
  const free = useHostUsage().data?.host.disk_free;
  const resize = useResizeDisk();
  const capacity = disk?.capacity ?? 0;
  const [before] = useState(capacity);
  const least = leastGrowth(before);
  const most = mostGrowth(before, free ?? 0);
  const [wanted, setWanted] = useState<number | null>(null);
  if (!disk) return null;
  const value = Math.min(most, Math.max(least, wanted ?? Math.ceil((before / GIB) * 1.5)));
  const parts = splitBytes(value * GIB);
  const room = free === undefined ? undefined : Math.floor((before + free) / GIB);
  const name = diskName(disk);
  const title = t("disks.growTitle", { name });
  const failure = resize.error ? errorText(resize.error) : null;
  const done = resize.data;
  return (
    <Sheet
      label={title}
      title={title}
      onClose={onClose}
      width={520}
      footer={
        <>
          <span className="grow" />
          {done ? (
            <Button size="lg" variant="primary" onPress={onClose} autoFocus>
              {t("common.done")}
            </Button>
          ) : (
            <>
              <Button size="lg" onPress={onClose}>
                {t("common.cancel")}
              </Button>
              <Button
                size="lg"
                variant="primary"
                isPending={resize.isPending}
                onPress={() => resize.mutate({ id: machine.id, disk: id, size: value * GIB })}
              >
                {t("disks.growConfirm")}
              </Button>
            </>
          )}
        </>
      }
    >
      <div className="sheet-body disk-sheet">
        {done ? (
          <div role="status" className="disk-sheet">
            <Note tone="ok">{t("disks.grown", { name, size: formatBytes(done.disk?.capacity ?? value * GIB) })}</Note>
            {done.notes.map((note) => (
              <Note key={note}>
                <span className="selectable disk-lines">{note}</span>
              </Note>
            ))}
          </div>
        ) : (
          <>
            <p className="t2">{t("disks.growLead", { size: formatBytes(before) })}</p>
            <Amount
              label={t("disks.newSize")}
              shown={parts.value}
              unit={t("newvm.disk.unit", { unit: parts.unit })}
              value={value}
              min={least}
              max={most}
              valueText={formatBytes(value * GIB)}
              onChange={setWanted}
              {...(room !== undefined && room < most
                ? { busyFrom: room, busyText: t("newvm.disk.free", { size: formatBytes(free ?? 0) }) }
                : {})}
              minText={formatBytes(least * GIB)}
              maxText={formatBytes(most * GIB)}
            />
            <p className="t3">{t("disks.growOnly")}</p>
          </>
        )}
        {failure ? (
          <div role="alert">
            <Note tone="bad">
              <b className="medium">{t("disks.notGrown")}</b> {failure.message} {failure.hint}
            </Note>
          </div>
        ) : null}
      </div>
    </Sheet>
  );
}
