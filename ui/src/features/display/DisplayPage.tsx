import { type CSSProperties, useEffect, useRef, useState } from "react";
import { navigate } from "../../app/navigation";
import { setInspector, useUiState } from "../../app/ui-state";
import { useNarrow } from "../../app/use-narrow";
import { WindowControls } from "../../app/window-controls";
import { errorText, toast } from "../../components";
import {
  type ApiError,
  type Machine,
  toApiError,
  useClient,
  usePauseMachine,
  useResumeMachine,
  useStartMachine,
  useStopMachine,
} from "../../data";
import { t } from "../../i18n";
import "./display.css";
import { Overlay } from "./Overlay";
import { type Held, SendKeys } from "./SendKeys";
import { StatsPanel } from "./StatsPanel";
import { Toolbar } from "./Toolbar";
import { useInput } from "./use-input";
import { useDisplaySession } from "./use-session";
import { useToolbar } from "./use-toolbar";

const NONE: ReadonlySet<Held> = new Set();
const ON_SCREEN = new Set<Machine["state"]>(["running", "paused", "stopping"]);

function report(title: string, error: unknown): void {
  const known = toApiError(error);
  const { message, hint } = errorText(known);
  toast({ tone: "error", title, detail: [message, hint].filter(Boolean).join(" ") });
}

/** The guest's screen, as large as the window allows. Everything typed goes to the guest. */
export function DisplayPage({ machine }: { machine: Machine }) {
  const client = useClient();
  const { platform } = client;
  const stage = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const bar = useRef<HTMLDivElement>(null);
  const narrow = useNarrow();
  const inspector = useUiState((state) => (narrow ? state.inspectorOverlay : state.inspector));
  const [statistics, setStatistics] = useState(false);
  const [fullScreen, setFullScreen] = useState(false);
  const [menuOpen, setMenuOpen] = useState(false);
  const [held, setHeld] = useState(NONE);
  const { link, size, cursor, session } = useDisplaySession(canvas, machine.id, ON_SCREEN.has(machine.state));
  const live = link.state === "connected" && ON_SCREEN.has(machine.state);
  const toolbar = useToolbar(stage, bar, menuOpen || !live || machine.state === "paused");

  const failed = (error: ApiError) => report(t("display.actionFailed"), error);
  const start = useStartMachine();
  const stop = useStopMachine();
  const pause = usePauseMachine();
  const resume = useResumeMachine();

  const toGuest = () => canvas.current?.focus({ preventScroll: true });
  const setFull = (on: boolean) => {
    setFullScreen(on);
    platform.setFullscreen(on).catch(() => setFullScreen(false));
  };

  useEffect(() => {
    toGuest();
    const left = () => {
      if (!document.fullscreenElement) setFullScreen(false);
    };
    document.addEventListener("fullscreenchange", left);
    return () => document.removeEventListener("fullscreenchange", left);
  }, []);

  useInput(canvas, {
    send: (message) => session.current?.send(message),
    onRelease: () => {
      setHeld(NONE);
      toolbar.show();
      bar.current?.querySelector<HTMLElement>("button")?.focus();
    },
    onHostKey: (event) => {
      if (!(event.ctrlKey && event.altKey && event.code === "KeyF") || event.repeat) return false;
      setFull(!fullScreen);
      return true;
    },
    onTyping: toolbar.onTyping,
  });

  const screenshot = async () => {
    try {
      const picture = await client.screenshot(machine.id);
      // The Swedish way of writing a moment sorts by time; colons and slashes are not for file names.
      const date = new Date().toLocaleString("sv-SE").replaceAll(":", ".");
      const name = t("display.screenshotName", { name: machine.name, date }).replace(/[\\/:*?"<>|]/g, "-");
      const saved = await platform.saveFile(name, picture);
      if (saved !== null) toast({ title: t("display.screenshotSaved"), detail: saved });
    } catch (error) {
      report(t("display.screenshotFailed"), error);
    }
  };
  const paste = async () => {
    toGuest();
    try {
      const text = await platform.readClipboard();
      if (!text) {
        toast({ tone: "info", title: t("display.pasteFailed"), detail: t("display.pasteEmpty") });
        return;
      }
      toast({ tone: "info", title: t("display.pasteDone", { count: [...text].length }), key: "paste" });
      await client.type(machine.id, text);
    } catch (error) {
      report(t("display.pasteFailed"), error);
    }
  };
  const startIt = () => start.mutate({ id: machine.id }, { onError: failed });

  const ratio = size ? size.width / size.height : machine.resolution[0] / machine.resolution[1];
  return (
    <main className="main display" aria-label={t("display.main", { name: machine.name })} tabIndex={-1} data-pane="main">
      <h1 className="vh">{machine.name}</h1>
      <div className="display-stage" ref={stage} style={{ "--ratio": ratio } as CSSProperties}>
        {/* The guest's screen takes every key; Ctrl+Alt gives them back, as its name says. */}
        <canvas
          ref={canvas}
          className={live ? "display-canvas" : "display-canvas stale"}
          role="application"
           
          tabIndex={0}
          aria-label={t("display.canvas", { name: machine.name })}
          data-frames="0"
          data-keys="guest"
          style={{ cursor: live ? cursor : "default" }}
        />
        <Overlay
          machine={machine}
          link={link}
          hasPicture={size !== null}
          onRetry={() => session.current?.retry()}
          onStart={startIt}
          onResume={() => resume.mutate(machine.id, { onError: failed, onSuccess: toGuest })}
        />
        <Toolbar
          ref={bar}
          machine={machine}
          visible={toolbar.visible}
          connected={live}
          statistics={statistics}
          snapshots={inspector}
          fullScreen={fullScreen}
          sendKeys={
            <SendKeys
              send={(message) => session.current?.send(message)}
              held={held}
              onHeld={setHeld}
              onOpenChange={setMenuOpen}
              onSent={() => requestAnimationFrame(toGuest)}
            />
          }
          onStatistics={setStatistics}
          onSnapshots={setInspector}
          onFullScreen={setFull}
          onShowLibrary={() => navigate({ page: "machine", machine: machine.id })}
          onPause={() => pause.mutate(machine.id, { onError: failed })}
          onResume={() => resume.mutate(machine.id, { onError: failed, onSuccess: toGuest })}
          onStart={startIt}
          onStop={() => stop.mutate({ id: machine.id }, { onError: failed })}
          onPaste={() => void paste()}
          onScreenshot={() => void screenshot()}
          onEscape={toGuest}
        />
        {inspector || fullScreen ? null : (
          <div className={toolbar.visible ? "display-window" : "display-window away"}>
            <WindowControls />
          </div>
        )}
        {statistics ? (
          <StatsPanel
            session={session}
            size={size}
            encoding={link.encoding}
            onCopy={(text) => void platform.copyText(text)}
          />
        ) : null}
      </div>
    </main>
  );
}
