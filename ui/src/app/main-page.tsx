import { useEffect } from "react";
import { ErrorCard, Button } from "../components";
import { type Machine, toApiError, useMachine, useMachines } from "../data";
import { EditPage } from "../features/edit/edit-page";
import { MachinePage } from "../features/machine/machine-page";
import { Inspector } from "../features/snapshots/inspector";
import { WelcomePage } from "../features/welcome/welcome-page";
import { t } from "../i18n";
import { platform } from "../platform";
import { goHome, rememberMachine } from "./home";
import { useRoute } from "./navigation";
import { Page } from "./page";
import { ActivityPage, CreatingPage, DisksPage, DisplayPage, DoctorPage, FilesPage, SettingsPage, SpacePage, TrashPage } from "./screens";

/** The machine the address names. */
export function useCurrentMachine(): Machine | undefined {
  const route = useRoute();
  return useMachine("machine" in route ? route.machine : null);
}

/** Goes to a machine when the address names none that is there, and remembers the one that it names. */
function useHomeRedirect(): void {
  const route = useRoute();
  const { data: machines } = useMachines();
  const current = useCurrentMachine();
  useEffect(() => {
    if (machines) goHome(machines);
  }, [machines, route]);
  useEffect(() => {
    if (current) rememberMachine(current);
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
  if (route.page === "space") return <SpacePage />;
  if (route.page === "trash") return <TrashPage />;
  if (machines.error && !machines.data) {
    return <Unreadable error={machines.error} retry={() => void machines.refetch()} />;
  }
  if (!machines.data) return <Page name={t("shell.connecting")} title={null}>{null}</Page>;
  if (!machine) {
    // On the way to one: what would be drawn here would be gone at once.
    return machines.data.length > 0 ? <Page name={t("app.name")} title={null}>{null}</Page> : <WelcomePage />;
  }
  const beside = inspector ? <Inspector machine={machine} /> : null;
  if (machine.state === "creating") return <CreatingPage machine={machine} />;
  if (route.page === "edit") return <EditPage key={machine.id} machine={machine} tab={route.tab} />;
  if (route.page === "disks") return <DisksPage key={machine.id} machine={machine} />;
  if (route.page === "files" && route.tab) {
    return <FilesPage key={`${machine.id} ${route.tab}`} machine={machine} disk={route.tab} />;
  }
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
