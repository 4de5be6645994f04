import type { ReactNode } from "react";
import { ChevronLeft } from "lucide-react";
import { IconButton } from "../components";
import { t } from "../i18n";
import "./page.css";
import { WindowControls } from "./window-controls";

interface Props {
  /** Name of the main region: the machine's name, “Activity”, … */
  name: string;
  /** Heading in the title bar; the name unless given. `null` draws none. */
  title?: ReactNode;
  /** Right of the heading. */
  extra?: ReactNode;
  /** Buttons at the end of the title bar. */
  actions?: ReactNode;
  onBack?: () => void;
  /** A line under the title bar. */
  ruled?: boolean;
  /** The inspector is beside this page and has the window's buttons. */
  withInspector?: boolean;
  children: ReactNode;
}

/** The main region with its title bar, which moves the window and holds the window's buttons. */
export function Page(props: Props) {
  const { name, title = name, extra, actions, onBack, ruled, withInspector, children } = props;
  return (
    <main className="main" aria-label={name} tabIndex={-1} data-pane="main">
      <header className={ruled ? "bar ruled" : "bar"} data-tauri-drag-region="">
        {onBack ? <IconButton icon={ChevronLeft} label={t("common.back")} onPress={onBack} /> : null}
        {title === null ? null : typeof title === "string" ? (
          <h1 className="title trunc" title={title} data-tauri-drag-region="">
            {title}
          </h1>
        ) : (
          title
        )}
        {extra}
        <span className="grow" data-tauri-drag-region="" />
        {actions}
        <span className={withInspector ? "bar-window narrow-only" : "bar-window"}>
          <WindowControls />
        </span>
      </header>
      {children}
    </main>
  );
}
