import type { ReactNode } from "react";
import { t } from "../i18n";
import { Button } from "./button";
import { errorText, Note } from "./feedback";
import { Sheet } from "./sheet";

interface Props {
  title: string;
  /** Name of the dialog; the title unless given. */
  label?: string;
  /** The verb of what can't be undone. */
  confirm: string;
  onConfirm: () => void;
  onClose: () => void;
  /** Can't be confirmed yet, or is being done. */
  busy?: boolean;
  /** Can't be done at all: `failure` says why, and nothing is offered. */
  impossible?: boolean;
  /** Why it did not work. */
  failure?: { title: string; error: Parameters<typeof errorText>[0] } | null;
  /** What is lost. */
  children: ReactNode;
}

/** One of the few questions: before what can't be undone. Cancel has the focus; the text says what is lost. */
export function ConfirmSheet(props: Props) {
  const { title, label = title, confirm, onConfirm, onClose, busy = false, impossible = false, failure, children } = props;
  const words = failure ? errorText(failure.error) : null;
  return (
    <Sheet
      label={label}
      title={title}
      role="alertdialog"
      onClose={onClose}
      width={460}
      footer={
        <>
          <span className="grow" />
          <Button size="lg" onPress={onClose} autoFocus>
            {t("common.cancel")}
          </Button>
          {impossible ? null : (
            <Button size="lg" variant="danger-primary" isPending={busy} onPress={onConfirm}>
              {confirm}
            </Button>
          )}
        </>
      }
    >
      <div className="sheet-body confirm-body">
        {children}
        {failure && words ? (
          <div role="alert">
            <Note tone="bad">
              <b className="medium">{failure.title}</b> {words.message} {words.hint}
            </Note>
          </div>
        ) : null}
      </div>
    </Sheet>
  );
}
