import { Download } from "lucide-react";
import { useEffect, useState } from "react";
import { Icon } from "../components";
import { formatList, t } from "../i18n";
import { platform } from "../platform";
import "./shell.css";
import { openSheet, uiState } from "./ui-state";

interface Over {
  names: string[];
  count: number;
}

/** Files held over the window, wherever they are; dropping them opens Import. */
export function DropHost() {
  const [over, setOver] = useState<Over | null>(null);
  useEffect(
    () =>
      platform.onFilesDropped((drop) => {
        if (drop.type === "enter") setOver({ names: drop.names, count: drop.count });
        else setOver(null);
        if (drop.type !== "drop" || drop.paths.length === 0) return;
        // Files dropped on an open Import join it.
        const { sheet } = uiState();
        const before = sheet?.kind === "import" ? sheet.paths : [];
        openSheet({ kind: "import", paths: [...before, ...drop.paths] });
      }),
    [],
  );
  if (!over) return null;
  return (
    <div className="drop-overlay" role="dialog" aria-label={t("shell.drop")} data-react-aria-top-layer="true">
      <div className="drop-card">
        <Icon icon={Download} size={40} />
        <h2 className="h1">{t("shell.dropItems", { count: over.count })}</h2>
        <p>{over.names.length > 0 ? formatList(over.names) : t("shell.dropHint")}</p>
      </div>
    </div>
  );
}
