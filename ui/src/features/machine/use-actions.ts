/**
 * Everything that can be done to a machine, said once: buttons, palette and shortcuts call the same. Failures
 * stay with the machine (an error card on its page), not in a dialog.
 */
import { useMemo } from "react";
import { currentRoute, navigate } from "../../app/navigation";
import { toast } from "../../components";
import {
  type ApiError,
  type Machine,
  type Snapshot,
  useChangeMachine,
  useDeleteMachine,
  usePauseMachine,
  usePutBack,
  useRenameMachine,
  useResetMachine,
  useResumeMachine,
  useStartMachine,
  useStopMachine,
  useTakeSnapshot,
} from "../../data";
import { t } from "../../i18n";
import { platform } from "../../platform";
import { clearFailure, setFailure } from "./failures";

export interface MachineActions {
  start: (machine: Machine) => void;
  stop: (machine: Machine) => void;
  forceOff: (machine: Machine) => void;
  reset: (machine: Machine) => void;
  pause: (machine: Machine) => void;
  resume: (machine: Machine) => void;
  /** Start, pause or resume: what Space does. */
  toggle: (machine: Machine) => void;
  rename: (machine: Machine, name: string) => Promise<void>;
  setTags: (machine: Machine, tags: string[]) => void;
  trash: (machine: Machine) => void;
  takeSnapshot: (machine: Machine, name?: string) => Promise<Snapshot | null>;
  copy: (text: string, what: string) => void;
}

/** Puts text on the clipboard and says so. */
export function copyText(text: string, what: string): void {
  platform.copyText(text).then(
    () => toast({ title: t("machine.copied", { what }), tone: "done", key: "copied" }),
    () => toast({ title: t("machine.copyFailed"), tone: "error", key: "copied" }),
  );
}

export function useMachineActions(): MachineActions {
  const { mutate: start } = useStartMachine();
  const { mutate: stop } = useStopMachine();
  const { mutate: reset } = useResetMachine();
  const { mutate: pause } = usePauseMachine();
  const { mutate: resume } = useResumeMachine();
  const { mutateAsync: rename } = useRenameMachine();
  const { mutate: change } = useChangeMachine();
  const { mutate: remove } = useDeleteMachine();
  const { mutate: putBack } = usePutBack();
  const { mutateAsync: takeSnapshot } = useTakeSnapshot();

  return useMemo<MachineActions>(() => {
    const failed = (machine: Machine, title: string) => ({
      onSuccess: () => clearFailure(machine.id),
      onError: (error: ApiError) => setFailure(machine.id, { title, error: error.info }),
    });
    const actions: MachineActions = {
      start: (machine) => {
        clearFailure(machine.id);
        start({ id: machine.id }, failed(machine, t("machine.didNotStart", { name: machine.name })));
      },
      stop: (machine) =>
        stop({ id: machine.id }, failed(machine, t("machine.didNotStop", { name: machine.name }))),
      forceOff: (machine) =>
        stop({ id: machine.id, force: true }, failed(machine, t("machine.didNotStop", { name: machine.name }))),
      reset: (machine) => reset(machine.id, failed(machine, t("machine.didNotReset", { name: machine.name }))),
      pause: (machine) => pause(machine.id, failed(machine, t("machine.didNotPause", { name: machine.name }))),
      resume: (machine) =>
        machine.state === "suspended"
          ? actions.start(machine)
          : resume(machine.id, failed(machine, t("machine.didNotResume", { name: machine.name }))),
      toggle: (machine) => {
        if (machine.state === "running") actions.pause(machine);
        else if (machine.state === "paused") actions.resume(machine);
        else if (["stopped", "broken", "suspended"].includes(machine.state)) actions.start(machine);
      },
      rename: async (machine, name) => {
        await rename({ id: machine.id, name });
        toast({
          title: t("machine.renamed", { name }),
          key: `rename:${machine.id}`,
          onUndo: () => void rename({ id: machine.id, name: machine.name }).catch(() => {}),
        });
      },
      setTags: (machine, tags) => {
        const before = machine.tags;
        change(
          { id: machine.id, changes: { tags } },
          {
            onSuccess: () =>
              toast({
                title: t("tags.changed", { name: machine.name }),
                key: `tags:${machine.id}`,
                onUndo: () => change({ id: machine.id, changes: { tags: before } }),
              }),
            onError: (error) => toast({ title: error.message, detail: error.hint, tone: "error" }),
          },
        );
      },
      trash: (machine) =>
        remove(machine.id, {
          onSuccess: () => {
            const route = currentRoute();
            if ("machine" in route && route.machine === machine.id) navigate({ page: "home" }, true);
            toast({
              title: t("machine.trashed", { name: machine.name }),
              detail: t("machine.trashedDetail"),
              key: `trash:${machine.id}`,
              onUndo: () =>
                putBack(machine.id, {
                  onSuccess: () => navigate({ page: "machine", machine: machine.id }),
                  onError: (error) => toast({ title: error.message, detail: error.hint, tone: "error" }),
                }),
            });
          },
          onError: (error) =>
            setFailure(machine.id, { title: t("machine.didNotTrash", { name: machine.name }), error: error.info }),
        }),
      takeSnapshot: async (machine, name) => {
        try {
          const taken = await takeSnapshot(name ? { id: machine.id, name } : { id: machine.id });
          toast({ title: t("snapshots.taken", { name: taken.name }), tone: "done", key: `snapshot:${machine.id}` });
          return taken;
        } catch (error) {
          setFailure(machine.id, {
            title: t("snapshots.notTaken", { name: machine.name }),
            error: (error as ApiError).info,
          });
          return null;
        }
      },
      copy: copyText,
    };
    return actions;
  }, [start, stop, reset, pause, resume, rename, change, remove, putBack, takeSnapshot]);
}
