import { ConfirmSheet, toast } from "../../components";
import { formatBytes, type Machine, type Snapshot, useDeleteSnapshot, useSubtree } from "../../data";
import { formatList, t } from "../../i18n";

/** Names listed before “and N more”. */
const NAMES = 4;

interface Props {
  machine: Machine;
  snapshot: Snapshot;
  onClose: () => void;
}

/** A snapshot and all that grew from it, for good: says how many, which and how much. */
export function SubtreeSheet({ machine, snapshot, onClose }: Props) {
  const { data: plan, error } = useSubtree(machine.id, snapshot.id);
  const remove = useDeleteSnapshot();
  const names = (plan?.deleted ?? []).slice(0, NAMES).map((one) => `“${one.name}”`);
  const more = (plan?.deleted.length ?? 0) - names.length;
  const failure = remove.error ?? error;
  const confirm = () => {
    if (!plan || remove.isPending) return;
    remove.mutate(
      { id: machine.id, snapshot: snapshot.id, subtree: true },
      {
        onSuccess: ({ deleted, freed, job }) => {
          toast({
            title: t("snapshots.subtreeDone", { count: deleted.length, size: formatBytes(freed) }),
            detail: job ? t("snapshots.subtreeMerging") : undefined,
          });
          onClose();
        },
      },
    );
  };
  return (
    <ConfirmSheet
      label={t("snapshots.subtree")}
      title={t("snapshots.subtreeTitle", { name: snapshot.name })}
      confirm={t("snapshots.subtree")}
      busy={plan === undefined || remove.isPending}
      impossible={plan === undefined && error !== null}
      onConfirm={confirm}
      onClose={onClose}
      failure={failure ? { title: t("snapshots.subtreeFailed"), error: failure } : null}
    >
      {plan || !error ? (
        <p className="num">
          {plan
            ? t("snapshots.subtreeText", {
                count: plan.deleted.length,
                names: formatList(more > 0 ? [...names, t("snapshots.subtreeMore", { count: more })] : names),
                size: formatBytes(plan.freed),
              })
            : t("snapshots.subtreeCounting")}
        </p>
      ) : null}
    </ConfirmSheet>
  );
}
