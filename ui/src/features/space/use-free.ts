import { toast } from "../../components";
import {
  ApiError,
  CODE_BAD_ANSWER,
  formatBytes,
  type SpaceItem,
  useDeleteSnapshot,
  useDiscardState,
  useDropMemory,
  usePruneCache,
  useTidy,
} from "../../data";
import { t } from "../../i18n";

const gone = (): ApiError =>
  new ApiError({ code: CODE_BAD_ANSWER, kind: "not-found", message: t("space.gone"), hint: "", details: {} }, 0);

/** Does what frees an item; resolves when it is done (tidying: started), rejects with why not. */
export function useFree(): (item: SpaceItem) => Promise<void> {
  const { mutateAsync: dropMemory } = useDropMemory();
  const { mutateAsync: deleteSnapshot } = useDeleteSnapshot();
  const { mutateAsync: tidy } = useTidy();
  const { mutateAsync: pruneCache } = usePruneCache();
  const { mutateAsync: discardState } = useDiscardState();
  return async (item) => {
    const { machine, snapshot } = item;
    let freed = item.freeable;
    if (item.action === "prune-cache") freed = (await pruneCache()).freed;
    else if (machine === null) throw gone();
    else if (item.action === "tidy") {
      await tidy(machine);
      toast({ title: t("space.started"), tone: "info", key: "space" });
      return;
    } else if (item.action === "discard-state") await discardState(machine);
    else if (snapshot === null) throw gone();
    else if (item.action === "drop-memory") await dropMemory({ id: machine, snapshot });
    else freed = (await deleteSnapshot({ id: machine, snapshot })).freed;
    toast({ title: t("space.freed", { size: formatBytes(freed) }), key: "space" });
  };
}
