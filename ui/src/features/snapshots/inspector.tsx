import { Camera, ChevronDown } from "lucide-react";
import { useEffect, useMemo, useRef } from "react";
import { keyLabel } from "../../app/keys";
import { closeInspectorOverlay, openSheet } from "../../app/ui-state";
import { useNarrow } from "../../app/use-narrow";
import { WindowControls } from "../../app/window-controls";
import { Button, ErrorCard, Menu } from "../../components";
import { formatBytes, type Machine } from "../../data";
import { t } from "../../i18n";
import { copyText, useMachineActions } from "../machine/use-actions";
import { useShownSnapshots } from "./hidden";
import { layout } from "./lanes";
import "./snapshots.css";
import { SnapshotTree } from "./snapshot-tree";

/** The snapshots of a machine beside its page: a tree, newest first, and what can be done with each. */
export function Inspector({ machine }: { machine: Machine }) {
  const { list, error } = useShownSnapshots(machine.id);
  const actions = useMachineActions();
  const narrow = useNarrow();
  const pane = useRef<HTMLElement>(null);
  const tree = useMemo(() => layout(list?.snapshots ?? [], list?.current ?? null), [list]);
  const size = (list?.snapshots ?? []).reduce((sum, one) => sum + one.size, 0);
  const count = list?.snapshots.length ?? 0;

  useEffect(() => {
    if (narrow) pane.current?.querySelector<HTMLElement>("button")?.focus();
  }, [narrow]);

  return (
    // Esc closes the pane where it lies over the page.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <aside
      ref={pane}
      className={narrow ? "inspector overlay" : "inspector"}
      aria-label={t("snapshots.title")}
      data-pane="inspector"
      onKeyDown={(event) => {
        if (narrow && event.key === "Escape") closeInspectorOverlay();
      }}
    >
      <div className="bar inspector-bar" data-tauri-drag-region="">
        <h2 className="inspector-title">{t("snapshots.title")}</h2>
        {count > 0 ? (
          <span className="t3 t12 num trunc">{t("snapshots.summary", { count, size: formatBytes(size) })}</span>
        ) : null}
        <span className="grow" data-tauri-drag-region="" />
        {narrow ? null : <WindowControls />}
      </div>
      <div className="inspector-take">
        <TakeButton machine={machine} onTake={() => void actions.takeSnapshot(machine)} />
      </div>
      {error ? (
        <div className="inspector-error">
          <ErrorCard
            title={t("snapshots.readFailed", { name: machine.name })}
            error={error.info}
            onCopy={(text) => copyText(text, t("common.technicalDetails"))}
          />
        </div>
      ) : (
        <SnapshotTree machine={machine} tree={tree} />
      )}
      <p className="inspector-foot t3 t12">{t(count === 0 ? "snapshots.empty" : "snapshots.foot")}</p>
    </aside>
  );
}

/** One click takes a snapshot; the arrow asks for a name first. */
function TakeButton({ machine, onTake }: { machine: Machine; onTake: () => void }) {
  return (
    <span className="split take-split">
      <Button icon={Camera} className="grow" aria-label={t("snapshots.take")} onPress={onTake}>
        {t("snapshots.take")}
        <span className="t3 t11">{keyLabel("mod+s")}</span>
      </Button>
      <Menu
        label={t("snapshots.takeOptions")}
        trigger={
          <Button aria-label={t("snapshots.takeOptions")}>
            <ChevronDown size={14} aria-hidden="true" />
          </Button>
        }
        items={[
          {
            id: "named",
            label: t("snapshots.takeNamed"),
            icon: Camera,
            onSelect: () => openSheet({ kind: "take-snapshot", machine: machine.id }),
          },
        ]}
      />
    </span>
  );
}
