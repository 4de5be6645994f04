import { useEffect } from "react";
import { ErrorCard, Button } from "../components";
import { type Machine, toApiError, useMachine, useMachines } from "../data";
import { EditPage } from "../features/edit/edit-page";
import { MachinePage } from "../features/machine/machine-page";
import { Inspector } from "../features/snapshots/inspector";
import { WelcomePage } from "../features/welcome/welcome-page";
import { t } from "../i18n";
import { platform } from "../platform";
import { navigate, useRoute } from "./navigation";
import { Page } from "./page";
import { ActivityPage, CreatingPage, DisplayPage, DoctorPage, SettingsPage, TrashPage } from "./screens";

const LAST_KEY = "nestbox.machine";

function lastMachine(): string | null {
  try {
    return localStorage.getItem(LAST_KEY);
  } catch {
    return null;
  }
}

/** The machine the address names. */
export function useCurrentMachine(): Machine | undefined {
  const route = useRoute();
  return useMachine("machine" in route ? route.machine : null);
}

/** With machines there is always one selected: the one the program was started for, the last one, the first. */
function useHomeRedirect(): void {
  const route = useRoute();
  const { data: machines } = useMachines();
  const current = useCurrentMachine();
  const gone = "machine" in route && machines !== undefined && current === undefined;
  useEffect(() => {
    if (!machines || !(route.page === "home" || gone)) return;
    const wanted = platform.facts.machine;
    const asked = wanted ? machines.find((one) => one.id === wanted || one.name === wanted) : undefined;
    const pick = asked ?? machines.find((one) => one.id === lastMachine()) ?? machines[0];
    navigate(pick ? { page: "machine", machine: pick.id } : { page: "home" }, true);
  }, [machines, route, gone]);
  useEffect(() => {
    if (!current) return;
    try {
      localStorage.setItem(LAST_KEY, current.id);
    } catch {
      // Not remembered, then.
    }
  }, [current]);
}

function useWindowTitle(name: string | undefined): void {
  useEffect(() => platform.setTitle(name ? `${name} – ${t("app.name")}` : t("app.name")), [name]);
}

/** The library could not be read at all. */
function Unreadable({ error, retry }: { error: unknown; retry: () => void }) {
  return (
    <Page name={t("shell.readFailed")} title={null}>
      <div className="page narrow">
        <ErrorCard
          level={2}
          title={t("shell.readFailed")}
          error={toApiError(error).info}
          onCopy={(text) => void platform.copyText(text)}
          actions={
            <Button variant="primary" onPress={retry}>
              {t("common.tryAgain")}
            </Button>
          }
        />
      </div>
    </Page>
  );
}

/** What the address says, and the inspector beside it. */
export function MainPage({ inspector }: { inspector: boolean }) {
  useHomeRedirect();
  const route = useRoute();
  const machines = useMachines();
  const machine = useCurrentMachine();
  useWindowTitle(machine?.name);

  if (route.page === "activity") return <ActivityPage />;
  if (route.page === "doctor") return <DoctorPage />;
  if (route.page === "settings") return <SettingsPage />;
  if (route.page === "trash") return <TrashPage />;
  if (machines.error && !machines.data) {
    return <Unreadable error={machines.error} retry={() => void machines.refetch()} />;
  }
  if (!machines.data) return <Page name={t("shell.connecting")} title={null}>{null}</Page>;
  if (!machine) return <WelcomePage />;
  const beside = inspector ? <Inspector machine={machine} /> : null;
  if (machine.state === "creating") return <CreatingPage machine={machine} />;
  if (route.page === "edit") return <EditPage key={machine.id} machine={machine} tab={route.tab} />;
  if (route.page === "display") {
    return (
      <>
        <DisplayPage key={machine.id} machine={machine} />
        {beside}
      </>
    );
  }
  return (
    <>
      <MachinePage key={machine.id} machine={machine} inspector={inspector} />
      {beside}
    </>
  );
}
