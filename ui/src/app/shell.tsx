import { Suspense, useEffect } from "react";
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
import { closeInspectorOverlay, useUiState } from "./ui-state";
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
  useEffect(() => {
    if (connection !== "lost") return;
    const timer = setTimeout(() => toast({ title: t("shell.lost"), tone: "error", key: "connection" }), 1_500);
    return () => clearTimeout(timer);
  }, [connection]);
}

/** The window: sidebar, page, inspector, and what lies over them. */
export function Shell() {
  useTheme();
  useShortcuts();
  useShownMachine();
  useConnectionToast();
  const route = useRoute();
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
