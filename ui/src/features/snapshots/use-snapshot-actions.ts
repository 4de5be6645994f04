/** Restore, delete and rename, each with its way back. */
import { useMemo } from "react";
import { toast } from "../../components";
import {
  type ApiError,
  formatBytes,
  type Machine,
  type Snapshot,
  useChangeSnapshot,
  useDeleteSnapshot,
  useRestoreSnapshot,
} from "../../data";
import { t } from "../../i18n";
import { setFailure } from "../machine/failures";
import { hide, show } from "./hidden";

export interface SnapshotActions {
  restore: (machine: Machine, snapshot: Snapshot) => void;
  remove: (machine: Machine, snapshot: Snapshot) => void;
  rename: (machine: Machine, snapshot: Snapshot, name: string) => Promise<void>;
  /** Id of the snapshot that is being restored. */
  restoring: string | undefined;
}

export function useSnapshotActions(): SnapshotActions {
  const { mutateAsync: restore, isPending, variables } = useRestoreSnapshot();
  const { mutateAsync: remove } = useDeleteSnapshot();
  const { mutateAsync: change } = useChangeSnapshot();
  const restoring = isPending ? variables.snapshot : undefined;
  return useMemo<SnapshotActions>(
    () => ({
      restoring,
      restore: (machine, snapshot) => {
        // The present was just made by the restore and holds nothing: it is not kept again, and what was kept
        // for Undo has served, so that the tree looks as before.
        const undo = async (kept: Snapshot) => {
          await restore({ id: machine.id, snapshot: kept.id, discard: true });
          await remove({ id: machine.id, snapshot: kept.id });
        };
        const failed = (title: string) => (error: ApiError) => setFailure(machine.id, { title, error: error.info });
        restore({ id: machine.id, snapshot: snapshot.id }).then(
          ({ kept }) =>
            toast({
              title: t("snapshots.restored", { name: snapshot.name }),
              detail: kept ? t("snapshots.kept", { name: kept.name }) : undefined,
              tone: "restored",
              key: `restore:${machine.id}`,
              ...(kept ? { onUndo: () => void undo(kept).catch(failed(t("snapshots.notUndone"))) } : {}),
            }),
          failed(t("snapshots.notRestored", { name: snapshot.name })),
        );
      },
      remove: (machine, snapshot) => {
        hide(snapshot.id);
        const really = async () => {
          try {
            await remove({ id: machine.id, snapshot: snapshot.id });
          } catch (error) {
            const title = t("snapshots.notDeleted", { name: snapshot.name });
            setFailure(machine.id, { title, error: (error as ApiError).info });
          } finally {
            show(snapshot.id);
          }
        };
        toast({
          title: t("snapshots.deleted", { name: snapshot.name }),
          detail: t("snapshots.frees", { size: formatBytes(snapshot.size) }),
          key: `delete:${snapshot.id}`,
          onUndo: () => show(snapshot.id),
          onGone: () => void really(),
        });
      },
      rename: async (machine, snapshot, name) => {
        try {
          await change({ id: machine.id, snapshot: snapshot.id, name });
          toast({
            title: t("snapshots.renamed", { name }),
            key: `rename:${snapshot.id}`,
            onUndo: () => void change({ id: machine.id, snapshot: snapshot.id, name: snapshot.name }).catch(() => {}),
          });
        } catch (error) {
          const { message, hint } = error as ApiError;
          toast({ title: message, detail: hint, tone: "error" });
          throw error;
        }
      },
    }),
    [restore, remove, change, restoring],
  );
}
