import type { ReactNode } from "react";
import "./setting-row.css";

interface Props {
  title: string;
  detail?: ReactNode;
  control?: ReactNode;
  /** Under the row: a Note that says what the change needs, or why it can't be made. */
  why?: ReactNode;
  muted?: boolean;
  /** The control takes the whole width under the title. */
  stacked?: boolean;
}

/** A setting: what it is, one sentence, its control, and why it is not to be had now. */
export function SettingRow({ title, detail, control, why, muted, stacked }: Props) {
  return (
    <div className={`setting ${stacked ? "stacked" : ""} ${muted ? "muted" : ""}`}>
      <div>
        <div className="medium setting-title">{title}</div>
        {detail ? <div className="t2 setting-detail">{detail}</div> : null}
      </div>
      {control ? <div className="setting-control">{control}</div> : null}
      {why ? <div className="setting-why">{why}</div> : null}
    </div>
  );
}
