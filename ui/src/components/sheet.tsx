import { X } from "lucide-react";
import type { CSSProperties, ReactNode } from "react";
import { Dialog, Modal, ModalOverlay } from "react-aria-components";
import { t } from "../i18n";
import { IconButton } from "./button";
import "./sheet.css";

interface Props {
  /** Name of the dialog. */
  label: string;
  onClose: () => void;
  /** Heading; left out for sheets that draw their own header. */
  title?: ReactNode;
  /** Between heading and the close button. */
  headerExtra?: ReactNode;
  footer?: ReactNode;
  width?: number;
  children: ReactNode;
  className?: string;
  align?: "center" | "top";
  role?: "dialog" | "alertdialog";
  /** A click outside does not close it (there is typed text to lose). */
  sticky?: boolean;
}

/**
 * A modal sheet. Everything behind is inert, Esc closes it, focus returns to the opener. Never wider or taller
 * than the window less 48 px: the body scrolls, the footer stays.
 */
export function Sheet(props: Props) {
  const { label, onClose, title, headerExtra, footer, width = 880, children, align = "center" } = props;
  return (
    <ModalOverlay
      isOpen
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      isDismissable={!props.sticky}
      className={align === "top" ? "scrim top" : "scrim"}
    >
      <Modal className="sheet-place" style={{ "--sheet-w": `${width}px` } as CSSProperties}>
        <Dialog aria-label={label} className={`sheet ${props.className ?? ""}`} role={props.role ?? "dialog"}>
          {title === undefined ? null : (
            <header className="sheet-head">
              <h2 className="h1 grow">{title}</h2>
              {headerExtra}
              <IconButton icon={X} label={t("common.close")} onPress={onClose} />
            </header>
          )}
          {children}
          {footer ? <footer className="sheet-foot">{footer}</footer> : null}
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
