import { Suspense, useEffect, useRef } from "react";
import { toast, ToastRegion } from "../components";
import { useConnection, useMachines } from "../data";
import { Sidebar } from "../features/library/sidebar";
import { t } from "../i18n";
import { platform } from "../platform";
import { CloseNotice } from "./close-notice";
import { DropHost } from "./drop-host";
import { ErrorBoundary } from "./error-boundary";
import { MainPage, useCurrentMachine } from "./main-page";
import { navigate, routeHref, useRoute } from "./navigation";
import { Sheets } from "./sheets";
import "./shell.css";
import { useShortcuts } from "./shortcuts";
import { useTheme } from "./theme";
import { closeInspectorOverlay, uiState, useUiState } from "./ui-state";
import { useNarrow } from "./use-narrow";

/** Shows the machine another start of the program asked for, or that this one was started with. */
function useShownMachine(): void {
  const { data: machines } = useMachines();
  useEffect(() => {
    const show = (wanted: string) => {
      const found = machines?.find((one) => one.id === wanted || one.name === wanted);
      if (found) navigate({ page: "machine", machine: found.id });
    };
    return platform.onShowMachine(show);
  }, [machines]);
}

/** Says once that the service is gone, and that it is back. */
function useConnectionToast(): void {
  const connection = useConnection();
  const told = useRef(false);
  useEffect(() => {
    if (connection === "open" && told.current) {
      told.current = false;
      toast({ title: t("shell.back"), key: "connection" });
    }
    if (connection !== "lost" || told.current) return;
    const timer = setTimeout(() => {
      told.current = true;
      toast({ title: t("shell.lost"), detail: t("shell.lostDetail"), tone: "error", key: "connection", lasting: true });
    }, 1_500);
    return () => clearTimeout(timer);
  }, [connection]);
}

/**
 * When the control that had the focus went with its page (a machine was created, deleted, opened from a sheet),
 * the keyboard goes on at the selected machine instead of nowhere.
 */
function useFocusAfterNavigation(route: string): void {
  const byKey = useRef(false);
  useEffect(() => {
    const keyed = () => (byKey.current = true);
    const pointed = () => (byKey.current = false);
    window.addEventListener("keydown", keyed, true);
    window.addEventListener("pointerdown", pointed, true);
    return () => {
      window.removeEventListener("keydown", keyed, true);
      window.removeEventListener("pointerdown", pointed, true);
    };
  }, []);
  useEffect(() => {
    if (!byKey.current) return;
    // After sheets have given the focus back.
    const timer = setTimeout(() => {
      const active = document.activeElement;
      if (uiState().sheet || (active && active !== document.body)) return;
      document.querySelector<HTMLElement>(".machine-tree [aria-selected='true']")?.focus({ preventScroll: true });
    }, 150);
    return () => clearTimeout(timer);
  }, [route]);
}

/** The window: sidebar, page, inspector, and what lies over them. */
export function Shell() {
  useTheme();
  useShortcuts();
  useShownMachine();
  useConnectionToast();
  const route = useRoute();
  useFocusAfterNavigation(routeHref(route));
  const machine = useCurrentMachine();
  const narrow = useNarrow();
  const wish = useUiState((state) => state.inspector);
  const overlay = useUiState((state) => state.inspectorOverlay);
  const hasInspector = machine !== undefined && machine.state !== "creating" && ["machine", "display"].includes(route.page);
  const inspector = hasInspector && (narrow ? overlay : wish);
  const immersive = route.page === "display";
  useEffect(() => {
    if (!narrow) closeInspectorOverlay();
  }, [narrow]);
  const classes = ["app", inspector && !narrow ? "with-inspector" : "", immersive ? "immersive" : ""];
  return (
    <>
      <div className={classes.filter(Boolean).join(" ")}>
        {immersive ? null : <Sidebar />}
        <Suspense fallback={<main className="main" aria-label={t("common.loading")} />}>
          <ErrorBoundary resetKey={routeHref(route)}>
            <MainPage inspector={inspector} />
          </ErrorBoundary>
        </Suspense>
      </div>
      <Suspense fallback={null}>
        <Sheets />
      </Suspense>
      <CloseNotice />
      <DropHost />
      <ToastRegion />
    </>
  );
}
