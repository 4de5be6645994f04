import {
  ArrowDown,
  ArrowUp,
  ChevronDown,
  Ellipsis,
  FolderOpen,
  FolderOutput,
  HardDrive,
  Maximize2,
  PackageOpen,
  Shrink,
  Stethoscope,
  Trash2,
  Unplug,
} from "lucide-react";
import { type KeyboardEvent, useId, useState } from "react";
import { navigate } from "../../app/navigation";
import { openSheet } from "../../app/ui-state";
import { Button, Clamped, errorText, Icon, IconButton, Menu, type MenuEntry, Note } from "../../components";
import { type DiskDetails, isOver, type Machine, useJob } from "../../data";
import { t } from "../../i18n";
import { JobRow } from "../activity";
import { joinWords } from "../activity/job-words";
import { DiskBar } from "./DiskBar";
import { DiskOptions } from "./DiskOptions";
import { DiskResult } from "./DiskResult";
import { type DiskAct, diskName, factsOf, whyNot } from "./disk-words";
import { forgetJob } from "./tracked";
import type { DiskActions } from "./use-disk-actions";

interface Props {
  machine: Machine;
  disk: DiskDetails;
  /** How many the guest sees. */
  count: number;
  job: string | undefined;
  actions: DiskActions;
}

function useItems({ machine, disk, count, actions }: Props): MenuEntry[] {
  const reason = (act: DiskAct) => whyNot(act, machine, disk.attached) ?? undefined;
  const of = { machine: machine.id, disk: disk.id };
  const place = (id: "up" | "down", by: number): MenuEntry => ({
    id,
    label: t(`disks.${id}`),
    icon: id === "up" ? ArrowUp : ArrowDown,
    shortcut: t(`disks.${id}Key`),
    reason:
      disk.number + by < 1 ? t("disks.why.first") : disk.number + by > count ? t("disks.why.last") : reason("order"),
    onSelect: () => actions.change(disk, { position: disk.number + by }),
  });
  return [
    ...(disk.attached ? [place("up", -1), place("down", 1)] : []),
    {
      id: "export",
      label: t("disks.export"),
      icon: PackageOpen,
      separated: disk.attached,
      onSelect: () => openSheet({ kind: "export", ...of }),
    },
    {
      id: "compact",
      label: t("disks.compact"),
      detail: t("disks.compactDetail"),
      icon: Shrink,
      reason: reason("images"),
      onSelect: () => actions.compact(disk),
    },
    {
      id: "check",
      label: t("disks.check"),
      detail: t("disks.checkDetail"),
      icon: Stethoscope,
      reason: reason("images"),
      onSelect: () => actions.check(disk),
    },
    ...(disk.attached
      ? [
          {
            id: "detach",
            label: t("disks.detach"),
            detail: t("disks.detachDetail"),
            icon: Unplug,
            separated: true,
            reason: reason("detach"),
            onSelect: () => actions.detach(disk),
          },
        ]
      : []),
    {
      id: "move",
      label: t("disks.move"),
      icon: FolderOutput,
      separated: !disk.attached,
      reason: disk.attached ? reason("move") : undefined,
      onSelect: () => openSheet({ kind: "move-disk", ...of }),
    },
    {
      id: "remove",
      label: t("disks.remove"),
      icon: Trash2,
      danger: true,
      separated: true,
      reason: disk.attached ? reason("remove") : undefined,
      onSelect: () => actions.remove(disk),
    },
  ];
}

/** One disk: what it is, where its bytes are, what can be done, and how the work on it goes. */
export function DiskCard(props: Props) {
  const { machine, disk, actions } = props;
  const [open, setOpen] = useState(false);
  const panel = useId();
  const job = useJob(props.job);
  const items = useItems(props);
  const name = diskName(disk);
  const failure = actions.failures.get(disk.id);
  const growReason = disk.read_only && disk.linked ? t("disks.why.linked") : whyNot("grow", machine, disk.attached);

  /** Alt with an arrow moves the disk, as the menu does. */
  const onKeyDown = (event: KeyboardEvent) => {
    const by = event.key === "ArrowUp" ? "up" : event.key === "ArrowDown" ? "down" : null;
    if (!event.altKey || !by) return;
    event.preventDefault();
    const item = items.find((one) => one.id === by);
    if (item && !item.reason) item.onSelect();
  };
  return (
    // Keys of the controls inside bubble to here.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <li className="disk" aria-label={name} onKeyDown={onKeyDown}>
      <div className="disk-head">
        <span className="disk-icon t2">
          <Icon icon={HardDrive} size={20} />
        </span>
        <div className="grow disk-title">
          <h3 className="semi">
            <Clamped text={name} lines={2} />
          </h3>
          <p className="t3 t12 num">
            {joinWords([disk.attached && disk.label ? t("disks.number", { number: disk.number }) : null, ...factsOf(disk)])}
          </p>
        </div>
        <div className="row disk-do">
          <Button
            icon={FolderOpen}
            aria-label={t("disks.browseName", { name })}
            onPress={() => navigate({ page: "files", machine: machine.id, tab: disk.id })}
          >
            {t("disks.browse")}
          </Button>
          <Button
            icon={Maximize2}
            aria-label={t("disks.growName", { name })}
            {...(growReason ? { "aria-describedby": `${panel}-why` } : {})}
            unavailable={growReason !== null}
            onPress={() => openSheet({ kind: "grow-disk", machine: machine.id, disk: disk.id })}
          >
            {t("disks.grow")}
          </Button>
          {disk.attached ? null : (
            <Button aria-label={t("disks.attachName", { name })} onPress={() => actions.attach(disk)}>
              {t("disks.attach")}
            </Button>
          )}
          <Menu
            label={t("disks.moreName", { name })}
            trigger={<IconButton icon={Ellipsis} label={t("disks.moreName", { name })} />}
            items={items}
          />
        </div>
      </div>
      <DiskBar disk={disk} />
      {growReason ? (
        <p className="t3 t12 disk-why" id={`${panel}-why`}>
          {t("disks.growWhy", { reason: growReason })}
        </p>
      ) : null}
      {disk.linked && disk.linked_missing ? (
        <Note tone="warn">
          <b className="medium">{t("disks.missing")}</b>{" "}
          <span className="disk-path selectable">{t("disks.missingDetail", { path: disk.linked })}</span>
        </Note>
      ) : null}
      {job && !isOver(job) ? (
        <ul className="disk-job">
          <JobRow job={job} />
        </ul>
      ) : job ? (
        <DiskResult job={job} onRepair={() => actions.check(disk, true)} onDismiss={() => forgetJob(disk.id)} />
      ) : null}
      {failure ? (
        <div role="alert" className="disk-note">
          <Note tone="bad">
            <b className="medium">{failure.title}</b> {errorText(failure.error).message} {errorText(failure.error).hint}{" "}
            <button type="button" className="link" onClick={() => actions.dismiss(disk.id)}>
              {t("common.dismiss")}
            </button>
          </Note>
        </div>
      ) : null}
      <div>
          <Button
            variant="quiet"
            className="disk-toggle"
            aria-label={t("disks.optionsName", { name })}
            aria-expanded={open}
            {...(open ? { "aria-controls": panel } : {})}
            trailing={<Icon icon={ChevronDown} size={14} className={open ? "disk-chevron open" : "disk-chevron"} />}
            onPress={() => setOpen(!open)}
          >
            {t("disks.options")}
          </Button>
          {open ? (
            <div id={panel} role="group" aria-label={t("disks.optionsName", { name })}>
              <DiskOptions key={disk.label ?? ""} machine={machine} disk={disk} actions={actions} />
            </div>
          ) : null}
      </div>
    </li>
  );
}
