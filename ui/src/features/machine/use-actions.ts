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
  useDiscardState,
  useKeepChanges,
  usePauseMachine,
  usePutBack,
  useRenameMachine,
  useResetMachine,
  useResumeMachine,
  useStartMachine,
  useStopMachine,
  useSuspendMachine,
  useTakeSnapshot,
} from "../../data";
import { t } from "../../i18n";
import { platform } from "../../platform";
import { clearFailure, setFailure } from "./failures";

export interface MachineActions {
  start: (machine: Machine) => void;
  /** What the guest writes is thrown away when the run ends. */
  startDisposable: (machine: Machine) => void;
  /** Of a disposable run: what it wrote stays. */
  keepChanges: (machine: Machine) => void;
  /** Saves the guest's memory and ends the process; Start goes on. */
  suspend: (machine: Machine) => void;
  discardState: (machine: Machine) => void;
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
  const { mutateAsync: start } = useStartMachine();
  const { mutateAsync: keepChanges } = useKeepChanges();
  const { mutateAsync: suspend } = useSuspendMachine();
  const { mutateAsync: discardState } = useDiscardState();
  const { mutateAsync: stop } = useStopMachine();
  const { mutateAsync: reset } = useResetMachine();
  const { mutateAsync: pause } = usePauseMachine();
  const { mutateAsync: resume } = useResumeMachine();
  const { mutateAsync: rename } = useRenameMachine();
  const { mutateAsync: change } = useChangeMachine();
  const { mutateAsync: remove } = useDeleteMachine();
  const { mutateAsync: putBack } = usePutBack();
  const { mutateAsync: takeSnapshot } = useTakeSnapshot();

  return useMemo<MachineActions>(() => {
    // Promises, not callbacks of `mutate`: those are dropped when the page they were made on is gone.
    const attempt = (machine: Machine, title: string, promise: Promise<unknown>): void => {
      promise.then(
        () => clearFailure(machine.id),
        (error: ApiError) => setFailure(machine.id, { title, error: error.info }),
      );
    };
    const say = (error: ApiError): void => {
      toast({ title: error.message, detail: error.hint, tone: "error" });
    };
    const actions: MachineActions = {
      start: (machine) => {
        clearFailure(machine.id);
        attempt(machine, t("machine.didNotStart", { name: machine.name }), start({ id: machine.id }));
      },
      startDisposable: (machine) => {
        clearFailure(machine.id);
        attempt(
          machine,
          t("machine.didNotStart", { name: machine.name }),
          start({ id: machine.id, disposable: true }),
        );
      },
      keepChanges: (machine) => {
        const kept = keepChanges(machine.id).then(() =>
          toast({ title: t("machine.changesKept", { name: machine.name }), key: `keep:${machine.id}` }),
        );
        attempt(machine, t("machine.changesNotKept", { name: machine.name }), kept);
      },
      suspend: (machine) =>
        attempt(machine, t("machine.didNotSuspend", { name: machine.name }), suspend(machine.id)),
      discardState: (machine) =>
        attempt(machine, t("machine.didNotDiscard", { name: machine.name }), discardState(machine.id)),
      stop: (machine) => attempt(machine, t("machine.didNotStop", { name: machine.name }), stop({ id: machine.id })),
      forceOff: (machine) =>
        attempt(machine, t("machine.didNotStop", { name: machine.name }), stop({ id: machine.id, force: true })),
      reset: (machine) => attempt(machine, t("machine.didNotReset", { name: machine.name }), reset(machine.id)),
      pause: (machine) => attempt(machine, t("machine.didNotPause", { name: machine.name }), pause(machine.id)),
      resume: (machine) =>
        machine.state === "suspended"
          ? actions.start(machine)
          : attempt(machine, t("machine.didNotResume", { name: machine.name }), resume(machine.id)),
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
          onUndo: () => void rename({ id: machine.id, name: machine.name }).catch(say),
        });
      },
      setTags: (machine, tags) => {
        change({ id: machine.id, changes: { tags } }).then(
          () =>
            toast({
              title: t("tags.changed", { name: machine.name }),
              key: `tags:${machine.id}`,
              onUndo: () => void change({ id: machine.id, changes: { tags: machine.tags } }).catch(say),
            }),
          say,
        );
      },
      trash: (machine) => {
        const undo = () => {
          putBack(machine.id).then(() => navigate({ page: "machine", machine: machine.id }), say);
        };
        remove(machine.id).then(
          () => {
            const route = currentRoute();
            if ("machine" in route && route.machine === machine.id) navigate({ page: "home" }, true);
            toast({
              title: t("machine.trashed", { name: machine.name }),
              detail: t("machine.trashedDetail"),
              key: `trash:${machine.id}`,
              onUndo: undo,
            });
          },
          (error: ApiError) =>
            setFailure(machine.id, { title: t("machine.didNotTrash", { name: machine.name }), error: error.info }),
        );
      },
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
  }, [start, keepChanges, suspend, discardState, stop, reset, pause, resume, rename, change, remove, putBack, takeSnapshot]);
}
