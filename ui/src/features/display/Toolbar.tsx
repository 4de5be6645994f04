import { Camera, ClipboardPaste, Gauge, Maximize, PanelLeft, PanelRight, Pause, Play, Power } from "lucide-react";
import type { KeyboardEvent, ReactNode, Ref } from "react";
import { Toolbar as AriaToolbar } from "react-aria-components";
import { IconButton, IconToggle, StateMark } from "../../components";
import type { Machine } from "../../data";
import { t } from "../../i18n";

interface Props {
  ref: Ref<HTMLDivElement>;
  machine: Machine;
  visible: boolean;
  sendKeys: ReactNode;
  statistics: boolean;
  snapshots: boolean;
  fullScreen: boolean;
  connected: boolean;
  onStatistics: (on: boolean) => void;
  onSnapshots: (on: boolean) => void;
  onFullScreen: (on: boolean) => void;
  onShowLibrary: () => void;
  onPause: () => void;
  onResume: () => void;
  onStart: () => void;
  onStop: () => void;
  onPaste: () => void;
  onScreenshot: () => void;
  /** Esc: back to the guest. */
  onEscape: () => void;
}

/** The bar over the guest's screen. */
export function Toolbar(props: Props) {
  const { machine, visible, connected } = props;
  const { state } = machine;
  const off = state === "stopped" || state === "suspended" || state === "broken";
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") props.onEscape();
  };
  return (
    // The handle under the bar is what is left of it while it is hidden.
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions
    <div className={visible ? "display-bar" : "display-bar away"} ref={props.ref} onKeyDown={onKeyDown}>
      <AriaToolbar aria-label={t("display.toolbar")} className="display-tools">
        <IconButton icon={PanelLeft} label={t("display.showLibrary")} onPress={props.onShowLibrary} />
        <span className="row display-name" data-tauri-drag-region="">
          <StateMark state={state} />
          <span className="trunc" title={machine.name}>
            {machine.name}
          </span>
        </span>
        <span className="display-line" aria-hidden="true" />
        {off ? (
          <IconButton icon={Play} label={t("display.start")} onPress={props.onStart} />
        ) : state === "paused" ? (
          <IconButton icon={Play} label={t("display.resume")} onPress={props.onResume} />
        ) : (
          <IconButton icon={Pause} label={t("display.pause")} onPress={props.onPause} isDisabled={state !== "running"} />
        )}
        <IconButton icon={Power} label={t("display.stop")} onPress={props.onStop} isDisabled={off} />
        <span className="display-line" aria-hidden="true" />
        {connected ? props.sendKeys : null}
        {connected ? (
          <IconButton icon={ClipboardPaste} label={t("display.paste")} onPress={props.onPaste} />
        ) : null}
        <IconButton icon={Camera} label={t("display.screenshot")} onPress={props.onScreenshot} />
        <span className="display-line" aria-hidden="true" />
        <IconToggle
          icon={Gauge}
          label={t("display.statistics")}
          pressed={props.statistics}
          onChange={props.onStatistics}
        />
        <IconToggle
          icon={PanelRight}
          label={t("display.snapshots")}
          pressed={props.snapshots}
          onChange={props.onSnapshots}
        />
        <IconToggle
          icon={Maximize}
          label={t("display.fullScreen")}
          shortcut="Ctrl Alt F"
          pressed={props.fullScreen}
          onChange={props.onFullScreen}
        />
      </AriaToolbar>
      <span className="display-handle" aria-hidden="true" />
    </div>
  );
}
