import { Minus, Square, X } from "lucide-react";
import { Icon } from "../components";
import { t } from "../i18n";
import { platform } from "../platform";

/** Minimise, maximise, close: where the host does not draw its own. Out of the tab order, as native ones are. */
export function WindowControls() {
  const controls = platform.windowControls;
  if (!controls) return null;
  return (
    <div className="window-controls" role="group" aria-label={t("window.controls")}>
      <button type="button" tabIndex={-1} aria-label={t("window.minimise")} onClick={() => controls.minimize()}>
        <Icon icon={Minus} size={14} />
      </button>
      <button type="button" tabIndex={-1} aria-label={t("window.maximise")} onClick={() => controls.toggleMaximize()}>
        <Icon icon={Square} size={14} />
      </button>
      <button
        type="button"
        tabIndex={-1}
        className="window-close"
        aria-label={t("window.close")}
        onClick={() => controls.close()}
      >
        <Icon icon={X} size={14} />
      </button>
    </div>
  );
}
