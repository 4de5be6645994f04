import { type SubmitEvent, useState } from "react";
import { navigate } from "../../app/navigation";
import { Button, errorText, Note, RadioList, SettingRow, Sheet, Switch, TextField, toast } from "../../components";
import { formatBytes, formatMoment, type Machine, useCloneMachine, useMachines, useSnapshots } from "../../data";
import { t } from "../../i18n";
import { freeName, nameProblem } from "../newvm/draft";
import "./clone.css";
import { copiedBytes } from "./size";

type Kind = "linked" | "full";

interface Props {
  machine: Machine;
  /** Id of the snapshot that is cloned; the present unless given. */
  snapshot?: string;
  onClose: () => void;
}

/** A new machine from another: at once on its images, or on its own after a copy. */
export function CloneSheet({ machine, snapshot: snapshotId, onClose }: Props) {
  const { data: machines = [] } = useMachines();
  const { data: list } = useSnapshots(machine.id);
  const clone = useCloneMachine();
  const [name, setName] = useState(() => freeName(t("clone.proposed", { name: machine.name }), machines));
  const [kind, setKind] = useState<Kind>("linked");
  const [start, setStart] = useState(true);
  const snapshot = list?.snapshots.find((one) => one.id === snapshotId);
  const size = copiedBytes(machine, list?.snapshots ?? [], snapshotId ?? list?.current ?? null);
  // A clone of a point with memory goes on there.
  const memory = snapshotId ? snapshot?.memory === true : machine.state === "running" || machine.state === "paused";
  const settled = clone.isPending || clone.isSuccess;
  const problem = settled ? null : nameProblem(name, machines);
  const taken = clone.error?.code === "name-taken" && clone.variables?.name === name.trim();
  const failure = clone.error && !taken ? errorText(clone.error) : null;
  const title = t("clone.title", { name: machine.name });

  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (problem || settled) return;
    const request = { name: name.trim(), full: kind === "full", start, ...(snapshotId ? { snapshot: snapshotId } : {}) };
    clone.mutate(
      { id: machine.id, ...request },
      {
        onSuccess: ({ machine: made, job, notes }) => {
          toast({
            title: t(job ? "clone.started" : "clone.done", { name: made.name }),
            detail: notes.join(" "),
            key: `clone:${made.id}`,
          });
          onClose();
          navigate({ page: "machine", machine: made.id });
        },
      },
    );
  };

  return (
    <Sheet label={title} title={title} onClose={onClose} width={540} sticky>
      <form className="sheet-form" onSubmit={submit}>
        <div className="sheet-body clone-body">
          <p className="t2">
            {snapshotId
              ? t("clone.fromSnapshot", {
                  snapshot: snapshot?.name ?? "",
                  when: snapshot ? formatMoment(snapshot.created_at) : "",
                })
              : t("clone.fromNow")}
          </p>
          <TextField
            label={t("clone.name")}
            value={name}
            onChange={setName}
            maxLength={240}
            error={taken ? t("newvm.name.taken") : problem ? t(`newvm.name.${problem}`) : undefined}
            // The proposed name is the thing to change.
            autoFocus
            onFocus={(event) => event.target.select()}
          />
          <div>
            <span className="label">{t("clone.kind")}</span>
            <RadioList
              label={t("clone.kind")}
              value={kind}
              onChange={setKind}
              options={[
                {
                  value: "linked",
                  label: t("clone.linked"),
                  detail: t("clone.linkedDetail", { name: machine.name }),
                },
                { value: "full", label: t("clone.full"), detail: t("clone.fullDetail", { size: formatBytes(size) }) },
              ]}
            />
          </div>
          <SettingRow
            title={t("clone.start")}
            detail={t(memory ? "clone.startMemory" : "clone.startDetail")}
            control={<Switch label={t("clone.start")} checked={start} onChange={setStart} />}
          />
          {failure ? (
            <div role="alert">
              <Note tone="bad">
                <b className="medium">{t("clone.failed")}</b> {failure.message} {failure.hint}
              </Note>
            </div>
          ) : null}
        </div>
        <footer className="sheet-foot">
          <span className="grow" />
          <Button size="lg" onPress={onClose}>
            {t("common.cancel")}
          </Button>
          <Button size="lg" variant="primary" type="submit" isPending={clone.isPending} unavailable={problem !== null}>
            {t("clone.confirm")}
          </Button>
        </footer>
      </form>
    </Sheet>
  );
}
