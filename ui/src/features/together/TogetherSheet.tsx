import { type SubmitEvent, useMemo, useState } from "react";
import { Button, CheckRows, errorText, Note, SettingRow, Sheet, StateMark, Switch, TextField, toast } from "../../components";
import { formatBytes, formatSeconds, type Machine, useMachines, useTakeTogether } from "../../data";
import { t } from "../../i18n";
import { isActive } from "../library/tree-model";
import { candidates } from "./candidates";
import "./together.css";

interface Props {
  /** Ids; all running machines unless these or a tag are given. */
  machines?: string[];
  tag?: string;
  onClose: () => void;
}

const bytesOf = (machines: Machine[]): number =>
  machines.filter(isActive).reduce((sum, machine) => sum + machine.memory, 0);

/** One snapshot of several machines, cut at the same instant. */
export function TogetherSheet({ machines: ids, tag, onClose }: Props) {
  const { data: all } = useMachines();
  const offered = useMemo(
    () => candidates(all ?? [], { ...(ids ? { ids } : {}), ...(tag === undefined ? {} : { tag }) }),
    [all, ids, tag],
  );
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const [name, setName] = useState("");
  const [memory, setMemory] = useState(true);
  const take = useTakeTogether();
  const chosen = offered.filter((machine) => !left.has(machine.id));
  const count = chosen.length;
  const running = chosen.some(isActive);
  const failure = take.error ? errorText(take.error) : null;

  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (count === 0 || take.isPending) return;
    const wanted = name.trim();
    take.mutate(
      {
        machines: chosen.map((machine) => machine.id),
        ...(wanted ? { name: wanted } : {}),
        ...(running ? { memory } : {}),
      },
      {
        onSuccess: ({ snapshots, paused_seconds: seconds }) => {
          toast({
            title: t("together.done", { count: snapshots.length }),
            detail: running ? t("together.stood", { seconds: formatSeconds(seconds) }) : undefined,
          });
          onClose();
        },
      },
    );
  };

  return (
    <Sheet
      label={t("together.name")}
      title={t("together.title", { count })}
      onClose={onClose}
      width={500}
    >
      <form className="sheet-form" onSubmit={submit}>
        <div className="sheet-body together-body">
          <p className="t2">{t("together.lead")}</p>
          <CheckRows
            label={t("together.machines")}
            items={offered.map((machine) => ({
              id: machine.id,
              label: machine.name,
              leading: <StateMark state={machine.state} />,
              detail: t(`state.${machine.state}`),
              checked: !left.has(machine.id),
            }))}
            onChange={(id, checked) =>
              setLeft((before) => new Set(checked ? [...before].filter((one) => one !== id) : [...before, id]))
            }
          />
          <TextField
            label={t("snapshots.name")}
            value={name}
            onChange={setName}
            maxLength={120}
            hint={t("together.nameHint")}
          />
          {running ? (
            <SettingRow
              title={t("snapshots.memory")}
              detail={t("together.memoryDetail", { size: formatBytes(bytesOf(chosen)) })}
              control={<Switch label={t("snapshots.memory")} checked={memory} onChange={setMemory} />}
            />
          ) : null}
          {failure ? (
            <div role="alert">
              <Note tone="bad">
                <b className="medium">{t("together.failed")}</b> {failure.message} {failure.hint}
              </Note>
            </div>
          ) : null}
        </div>
        <footer className="sheet-foot">
          {count === 0 ? (
            <span className="t3 grow" id="together-none">
              {t("together.none")}
            </span>
          ) : (
            <span className="grow" />
          )}
          <Button size="lg" onPress={onClose}>
            {t("common.cancel")}
          </Button>
          <Button
            size="lg"
            variant="primary"
            type="submit"
            isPending={take.isPending}
            unavailable={count === 0}
            {...(count === 0 ? { "aria-describedby": "together-none" } : {})}
          >
            {t("snapshots.take")}
          </Button>
        </footer>
      </form>
    </Sheet>
  );
}
