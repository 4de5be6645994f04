import { Page } from "../../app/page";
import { setInspector } from "../../app/ui-state";
import { keyLabel } from "../../app/keys";
import { IconToggle, StatePill } from "../../components";
import type { Machine } from "../../data";
import { PanelRight } from "lucide-react";
import { t } from "../../i18n";
import { ActionBar } from "./action-bar";
import { DisposableNote } from "./disposable-note";
import { Facts } from "./facts";
import "./machine.css";
import { Preview } from "./preview";
import { Problem } from "./problem";
import { Recent } from "./recent";
import { UsagePanel } from "./usage";
import { Timeline } from "../snapshots/timeline";
import { WaysIn } from "./ways-in";

interface Props {
  machine: Machine;
  /** The snapshots pane is open. */
  inspector: boolean;
}

/** One machine: its picture first, then what it uses, what it is, how to get in, what happened. */
export function MachinePage({ machine, inspector }: Props) {
  return (
    <Page
      name={machine.name}
      withInspector={inspector}
      extra={
        <>
          <StatePill state={machine.state} />
          {machine.tags.slice(1, 4).map((tag) => (
            <span key={tag} className="pill machine-tag">
              {tag}
            </span>
          ))}
        </>
      }
      actions={
        <>
          <ActionBar machine={machine} />
          <IconToggle
            icon={PanelRight}
            label={t("snapshots.title")}
            shortcut={keyLabel("mod+shift+s")}
            pressed={inspector}
            onChange={setInspector}
          />
        </>
      }
    >
      <div className="scroll">
        <div className="detail">
          <Problem machine={machine} />
          <DisposableNote machine={machine} />
          <Preview machine={machine} />
          <UsagePanel machine={machine} />
          <Facts machine={machine} />
          <Timeline machine={machine} />
          <div className="wide two">
            <WaysIn machine={machine} />
            <Recent machine={machine} />
          </div>
        </div>
      </div>
    </Page>
  );
}
