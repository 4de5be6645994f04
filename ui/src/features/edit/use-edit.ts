/** Saving as you change, with a way back for every change made on this page. */
import { useCallback, useMemo, useState } from "react";
import { toast } from "../../components";
import { type Machine, useChangeMachine, useRenameMachine } from "../../data";
import { t } from "../../i18n";

type Step = { changes: Record<string, unknown> } | { name: string };

export interface Edit {
  machine: Machine;
  /** Hardware can't change now: the machine is on, or its saved state needs it as it is. */
  locked: boolean;
  saving: boolean;
  /** Saves one setting; `before` is what Undo puts back. */
  save: (key: string, value: unknown, before: unknown) => void;
  rename: (name: string) => Promise<void>;
  undo: (() => void) | undefined;
}

const LOCKED = new Set(["starting", "running", "paused", "stopping", "suspended"]);

export function useEdit(machine: Machine): Edit {
  const { mutate: change, isPending } = useChangeMachine();
  const { mutateAsync: rename, isPending: renaming } = useRenameMachine();
  const [steps, setSteps] = useState<Step[]>([]);
  const { id } = machine;

  const save = useCallback(
    (key: string, value: unknown, before: unknown) => {
      if (JSON.stringify(value) === JSON.stringify(before)) return;
      change(
        { id, changes: { [key]: value } },
        {
          onSuccess: () => setSteps((all) => [...all, { changes: { [key]: before } }]),
          onError: (error) =>
            toast({ title: t("edit.notSaved"), detail: `${error.message} ${error.hint}`.trim(), tone: "error" }),
        },
      );
    },
    [change, id],
  );
  const renameTo = useCallback(
    async (name: string) => {
      const before = machine.name;
      await rename({ id, name });
      setSteps((all) => [...all, { name: before }]);
    },
    [rename, id, machine.name],
  );
  const undo = useCallback(() => {
    const last = steps[steps.length - 1];
    if (!last) return;
    const done = () => {
      setSteps((all) => all.slice(0, -1));
      toast({ title: t("edit.undone"), tone: "info", key: "edit-undo" });
    };
    const failed = (error: { message: string }) =>
      toast({ title: t("edit.notSaved"), detail: error.message, tone: "error" });
    if ("name" in last) rename({ id, name: last.name }).then(done, failed);
    else change({ id, changes: last.changes }, { onSuccess: done, onError: failed });
  }, [steps, change, rename, id]);

  return useMemo(
    () => ({
      machine,
      locked: LOCKED.has(machine.state),
      saving: isPending || renaming,
      save,
      rename: renameTo,
      undo: steps.length > 0 ? undo : undefined,
    }),
    [machine, isPending, renaming, save, renameTo, steps.length, undo],
  );
}
