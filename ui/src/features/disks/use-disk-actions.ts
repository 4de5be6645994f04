/** What can be done to a disk, said once. What goes wrong is told on the disk's card; what can be undone, by a toast. */
import { useMemo, useState } from "react";
import { toast } from "../../components";
import {
  type ApiError,
  type DiskChangeRequest,
  type DiskDetails,
  type ErrorInfo,
  type Job,
  type Machine,
  useAttachDisk,
  useChangeDisk,
  useCheckDisk,
  useCompactDisk,
  useDetachDisk,
  useRemoveDisk,
  useRestoreDisk,
} from "../../data";
import { t, type MessageKey } from "../../i18n";
import { diskName, purgeWords } from "./disk-words";
import { forgetJob, trackJob } from "./tracked";

export interface DiskFailure {
  title: string;
  error: ErrorInfo;
}

export interface DiskActions {
  change: (disk: DiskDetails, change: DiskChangeRequest) => void;
  remove: (disk: DiskDetails) => void;
  restore: (disk: DiskDetails) => void;
  detach: (disk: DiskDetails) => void;
  attach: (disk: DiskDetails) => void;
  compact: (disk: DiskDetails) => void;
  check: (disk: DiskDetails, repair?: boolean) => void;
  /** By disk id. */
  failures: ReadonlyMap<string, DiskFailure>;
  dismiss: (disk: string) => void;
}

const focusPage = () => document.querySelector<HTMLElement>('[data-pane="main"]')?.focus({ preventScroll: true });

export function useDiskActions(machine: Machine): DiskActions {
  const { mutateAsync: change } = useChangeDisk();
  const { mutateAsync: remove } = useRemoveDisk();
  const { mutateAsync: restore } = useRestoreDisk();
  const { mutateAsync: detach } = useDetachDisk();
  const { mutateAsync: attach } = useAttachDisk();
  const { mutateAsync: compact } = useCompactDisk();
  const { mutateAsync: check } = useCheckDisk();
  const [failures, setFailures] = useState<ReadonlyMap<string, DiskFailure>>(new Map());
  const { id } = machine;

  return useMemo<DiskActions>(() => {
    const dismiss = (disk: string) =>
      setFailures((all) => new Map([...all].filter(([other]) => other !== disk)));
    const failed = (disk: DiskDetails, title: MessageKey) => (error: ApiError) =>
      setFailures((all) => new Map(all).set(disk.id, { title: t(title, { name: diskName(disk) }), error: error.info }));
    const say = (error: ApiError) => {
      toast({ tone: "error", title: error.message, detail: error.hint });
    };
    const done = (disk: DiskDetails, title: MessageKey, detail: string, undo: () => Promise<unknown>) => {
      dismiss(disk.id);
      toast({
        title: t(title, { name: diskName(disk) }),
        ...(detail ? { detail } : {}),
        key: `disk:${disk.id}`,
        onUndo: () => void undo().catch(say),
      });
    };
    const began = (disk: DiskDetails, job: Job) => {
      dismiss(disk.id);
      trackJob(disk.id, job);
    };
    return {
      failures,
      dismiss,
      change: (disk, wanted) => {
        const before = Object.fromEntries(
          Object.keys(wanted).map((key) => [
            key,
            key === "position" ? disk.number : key === "label" ? (disk.label ?? "") : disk[key as keyof DiskDetails],
          ]),
        );
        change({ id, disk: disk.id, change: wanted }).then(
          () =>
            done(disk, "position" in wanted ? "disks.moved" : "disks.changed", "", () =>
              change({ id, disk: disk.id, change: before }),
            ),
          failed(disk, "disks.notChanged"),
        );
      },
      remove: (disk) => {
        remove({ id, disk: disk.id }).then(({ purge_at, notes, removed }) => {
          forgetJob(disk.id);
          focusPage();
          done(disk, "disks.removed", [purgeWords({ purge_at }), ...notes].join(" "), () =>
            restore({ id, disk: removed.id }),
          );
        }, failed(disk, "disks.notRemoved"));
      },
      restore: (disk) => {
        restore({ id, disk: disk.id }).then((back) => {
          focusPage();
          done(disk, back.attached ? "disks.restored" : "disks.restoredDetached", "", () =>
            remove({ id, disk: back.id }),
          );
        }, failed(disk, "disks.notRestored"));
      },
      detach: (disk) => {
        detach({ id, disk: disk.id }).then((gone) => {
          focusPage();
          done(disk, "disks.detached", "", () => attach({ id, disk: gone.id }));
        }, failed(disk, "disks.notDetached"));
      },
      attach: (disk) => {
        attach({ id, disk: disk.id }).then(({ job, notes, disk: there }) => {
          focusPage();
          if (job) began(disk, job);
          else done(disk, "disks.attached", notes.join(" "), () => detach({ id, disk: there?.id ?? disk.id }));
        }, failed(disk, "disks.notAttached"));
      },
      compact: (disk) => {
        compact({ id, disk: disk.id }).then((job) => began(disk, job), failed(disk, "disks.notCompacted"));
      },
      check: (disk, repair) => {
        check({ id, disk: disk.id, ...(repair ? { repair } : {}) }).then(
          (job) => began(disk, job),
          failed(disk, repair ? "disks.notRepaired" : "disks.notChecked"),
        );
      },
    };
  }, [id, failures, change, remove, restore, detach, attach, compact, check]);
}
