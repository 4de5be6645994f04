import { Maximize, Play } from "lucide-react";
import { navigate } from "../../app/navigation";
import { Button, Icon } from "../../components";
import type { Machine } from "../../data";
import { t } from "../../i18n";
import { usePreview } from "../library/pictures";
import { statusLine, useNow } from "../library/status-line";
import { useMachineActions } from "./use-actions";

/** The guest's screen, live, and the one thing to do with it. */
export function Preview({ machine }: { machine: Machine }) {
  const picture = usePreview(machine);
  const actions = useMachineActions();
  const now = useNow();
  const open = () => navigate({ page: "display", machine: machine.id });
  const on = machine.state === "running" || machine.state === "stopping" || machine.state === "starting";
  const [width, height] = machine.resolution;
  const resumable = machine.state === "paused" || machine.state === "suspended";
  const verb = resumable ? "machine.resumeName" : "machine.startName";
  return (
    <div
      className={on ? "preview" : "preview off"}
      style={{ aspectRatio: picture ? `${picture.width} / ${picture.height}` : `${width} / ${height}` }}
    >
      {picture ? <img className="preview-picture" src={picture.url} alt="" draggable={false} /> : null}
      {on ? (
        <>
          {/* The button below is the accessible way; a click on the picture is the quick one. */}
          {/* eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-static-element-interactions */}
          <div className="preview-hit" onClick={open} />
          {picture ? null : <div className="preview-wait">{t("machine.noPictureYet")}</div>}
          <div className="preview-over">
            <Button variant="glass" icon={Maximize} onPress={open}>
              {t("machine.openDisplay")}
            </Button>
          </div>
        </>
      ) : (
        <div className="preview-cover">
          <button
            type="button"
            className="big-play"
            aria-label={t(verb, { name: machine.name })}
            onClick={() => (resumable ? actions.resume(machine) : actions.start(machine))}
          >
            <Icon icon={Play} size={28} filled />
          </button>
          <span>{statusLine(machine, now)}</span>
          {machine.state === "paused" ? (
            <Button variant="glass" icon={Maximize} onPress={open}>
              {t("machine.openDisplay")}
            </Button>
          ) : null}
        </div>
      )}
    </div>
  );
}
