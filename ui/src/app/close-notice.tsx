import { useEffect, useState } from "react";
import { Button, Sheet } from "../components";
import { type Machine, useClient, useConfig, useMachines } from "../data";
import { t } from "../i18n";
import { platform } from "../platform";

const SEEN = "window.close_notice_seen";
const ACTIVE: Machine["state"][] = ["running", "paused", "starting", "stopping"];

/** The first time the window closes while machines run, it says that they go on. Never again after that. */
export function CloseNotice() {
  const client = useClient();
  const config = useConfig().data;
  const machines = useMachines().data ?? [];
  const [asked, setAsked] = useState(false);
  const count = machines.filter((machine) => ACTIVE.includes(machine.state)).length;
  // Listens only when there is something to say: a page in trouble must not keep the window open.
  const wanted = count > 0 && config !== undefined && String(config[SEEN]) !== "true";
  useEffect(() => {
    if (!wanted) return;
    let before = false;
    return platform.onCloseRequested(() => {
      // Who closes it again while it asks means it.
      if (before) platform.closeWindow();
      before = true;
      setAsked(true);
    });
  }, [wanted]);
  if (!asked) return null;
  const seen = () => client.setConfig(SEEN, "true").catch(() => undefined);
  const stay = () => {
    setAsked(false);
    void seen();
  };
  const close = () => void seen().then(() => platform.closeWindow());
  return (
    <Sheet
      label={t("closeNotice.name")}
      title={t("closeNotice.title", { count })}
      onClose={stay}
      width={460}
      footer={
        <>
          <span className="grow" />
          <Button size="lg" onPress={stay}>
            {t("closeNotice.stay")}
          </Button>
          <Button size="lg" variant="primary" onPress={close} autoFocus>
            {t("window.close")}
          </Button>
        </>
      }
    >
      <div className="sheet-body t2">{t("closeNotice.body")}</div>
    </Sheet>
  );
}
