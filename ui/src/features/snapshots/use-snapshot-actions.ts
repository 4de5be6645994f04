/** Everything that can be done to a snapshot, each with its way back. */
import { useMemo } from "react";
import { errorText, toast } from "../../components";
import {
  type ApiError,
  formatBytes,
  type Machine,
  type Snapshot,
  useChangeSnapshot,
  useDeleteSnapshot,
  useDropMemory,
  useRestoreSnapshot,
} from "../../data";
import { formatList, t } from "../../i18n";
import { clearFailure, setFailure } from "../machine/failures";
import { hide, show } from "./hidden";

/** The memory can't be loaded: the disks can. */
const WITHOUT_MEMORY = new Set(["memory-unfit", "memory-missing", "memory-damaged"]);

export interface SnapshotActions {
  /** `memory: false` restores the disks alone. */
  restore: (machine: Machine, snapshot: Snapshot, options?: { memory: false }) => void;
  remove: (machine: Machine, snapshot: Snapshot) => void;
  /** No rule removes it; or one may again. */
  setKeep: (machine: Machine, snapshot: Snapshot, keep: boolean) => void;
  /** Takes its memory away when the Undo of it has passed. */
  dropMemory: (machine: Machine, snapshot: Snapshot) => void;
  rename: (machine: Machine, snapshot: Snapshot, name: string) => Promise<void>;
  /** Id of the snapshot that is being restored. */
  restoring: string | undefined;
}

export function useSnapshotActions(): SnapshotActions {
  const { mutateAsync: restore, isPending, variables } = useRestoreSnapshot();
  const { mutateAsync: remove } = useDeleteSnapshot();
  const { mutateAsync: change } = useChangeSnapshot();
  const { mutateAsync: drop } = useDropMemory();
  const restoring = isPending ? variables.snapshot : undefined;
  return useMemo<SnapshotActions>(() => {
    const failed = (machine: Machine, title: string) => (error: ApiError) =>
      setFailure(machine.id, { title, error: error.info });
    const say = (error: ApiError) => {
      const { message, hint } = errorText(error);
      toast({ title: message, detail: hint, tone: "error" });
    };
    const actions: SnapshotActions = {
      restoring,
      restore: (machine, snapshot, options) => {
        clearFailure(machine.id);
        // The present was just made by the restore and holds nothing: it is not kept again, and what was kept
        // for Undo has served, so that the tree looks as before.
        const undo = async (kept: Snapshot) => {
          await restore({ id: machine.id, snapshot: kept.id, discard: true });
          await remove({ id: machine.id, snapshot: kept.id });
        };
        restore({ id: machine.id, snapshot: snapshot.id, ...options }).then(
          ({ kept, notes }) =>
            toast({
              title: t("snapshots.restored", { name: snapshot.name }),
              detail: [...notes, ...(kept ? [t("snapshots.kept", { name: kept.name })] : [])].join(" "),
              tone: "restored",
              key: `restore:${machine.id}`,
              ...(kept
                ? { onUndo: () => void undo(kept).catch(failed(machine, t("snapshots.notUndone"))) }
                : {}),
            }),
          (error: ApiError) =>
            setFailure(machine.id, {
              title: t("snapshots.notRestored", { name: snapshot.name }),
              error: error.info,
              ...(WITHOUT_MEMORY.has(error.code)
                ? {
                    wayOut: {
                      label: t("snapshots.restoreDisks"),
                      run: () => actions.restore(machine, snapshot, { memory: false }),
                    },
                  }
                : {}),
            }),
        );
      },
      remove: (machine, snapshot) => {
        if (snapshot.needed_by.length > 0) {
          toast({
            title: t("snapshots.isNeeded", { name: snapshot.name }),
            detail: t("snapshots.isNeededBy", { names: formatList(snapshot.needed_by) }),
            tone: "error",
            key: `delete:${snapshot.id}`,
          });
          return;
        }
        hide("snapshots", snapshot.id);
        const really = async () => {
          try {
            await remove({ id: machine.id, snapshot: snapshot.id });
          } catch (error) {
            const title = t("snapshots.notDeleted", { name: snapshot.name });
            setFailure(machine.id, { title, error: (error as ApiError).info });
          } finally {
            show("snapshots", snapshot.id);
          }
        };
        toast({
          title: t("snapshots.deleted", { name: snapshot.name }),
          detail: t("snapshots.frees", { size: formatBytes(snapshot.size) }),
          key: `delete:${snapshot.id}`,
          onUndo: () => show("snapshots", snapshot.id),
          onGone: () => void really(),
        });
      },
      setKeep: (machine, snapshot, keep) => {
        const set = (on: boolean) => change({ id: machine.id, snapshot: snapshot.id, keep: on });
        set(keep).then(
          () =>
            toast({
              title: t(keep ? "snapshots.keepOn" : "snapshots.keepOff", { name: snapshot.name }),
              key: `keep:${snapshot.id}`,
              onUndo: () => void set(!keep).catch(say),
            }),
          say,
        );
      },
      dropMemory: (machine, snapshot) => {
        hide("memories", snapshot.id);
        const back = () => show("memories", snapshot.id);
        const really = () =>
          drop({ id: machine.id, snapshot: snapshot.id })
            .catch(failed(machine, t("snapshots.memoryNotDropped", { name: snapshot.name })))
            .finally(back);
        toast({
          title: t("snapshots.memoryDropped", { name: snapshot.name }),
          detail: t("snapshots.frees", { size: formatBytes(snapshot.memory_size) }),
          key: `memory:${snapshot.id}`,
          onUndo: back,
          onGone: () => void really(),
        });
      },
      rename: async (machine, snapshot, name) => {
        try {
          await change({ id: machine.id, snapshot: snapshot.id, name });
          toast({
            title: t("snapshots.renamed", { name }),
            key: `rename:${snapshot.id}`,
            onUndo: () => void change({ id: machine.id, snapshot: snapshot.id, name: snapshot.name }).catch(say),
          });
        } catch (error) {
          say(error as ApiError);
          throw error;
        }
      },
    };
    return actions;
  }, [restore, remove, change, drop, restoring]);
}
