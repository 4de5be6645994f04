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
  const { mutate: restore, isPending, variables } = useRestoreSnapshot();
  const { mutate: remove } = useDeleteSnapshot();
  const { mutateAsync: change } = useChangeSnapshot();
  const restoring = isPending ? variables.snapshot : undefined;
  return useMemo<SnapshotActions>(
    () => ({
      restoring,
      restore: (machine, snapshot) =>
        restore(
          { id: machine.id, snapshot: snapshot.id },
          {
            onSuccess: ({ kept }) =>
              toast({
                title: t("snapshots.restored", { name: snapshot.name }),
                detail: kept ? t("snapshots.kept", { name: kept.name }) : undefined,
                tone: "restored",
                key: `restore:${machine.id}`,
                ...(kept
                  ? {
                      onUndo: () =>
                        // The present was just made by the restore and holds nothing: it is not kept again.
                        restore(
                          { id: machine.id, snapshot: kept.id, discard: true },
                          {
                            // What was kept for Undo has served: the tree looks as before.
                            onSuccess: () => remove({ id: machine.id, snapshot: kept.id }),
                            onError: (error) =>
                              setFailure(machine.id, { title: t("snapshots.notUndone"), error: error.info }),
                          },
                        ),
                    }
                  : {}),
              }),
            onError: (error) =>
              setFailure(machine.id, { title: t("snapshots.notRestored", { name: snapshot.name }), error: error.info }),
          },
        ),
      remove: (machine, snapshot) => {
        hide(snapshot.id);
        toast({
          title: t("snapshots.deleted", { name: snapshot.name }),
          detail: t("snapshots.frees", { size: formatBytes(snapshot.size) }),
          key: `delete:${snapshot.id}`,
          onUndo: () => show(snapshot.id),
          onGone: () =>
            remove(
              { id: machine.id, snapshot: snapshot.id },
              {
                onSettled: () => show(snapshot.id),
                onError: (error) =>
                  setFailure(machine.id, {
                    title: t("snapshots.notDeleted", { name: snapshot.name }),
                    error: error.info,
                  }),
              },
            ),
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
