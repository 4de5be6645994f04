import type { CSSProperties } from "react";
import "./controls.css";

interface Props {
  label: string;
  value: number;
  min: number;
  max: number;
  step?: number;
  /** What the value means, with its unit: `4 GB`. */
  valueText: string;
  onChange: (value: number) => void;
  /** After the drag or key press ended. */
  onCommit?: (value: number) => void;
  /** From here on the host has nothing free: drawn as a hatch. */
  busyFrom?: number | undefined;
  /** Text under the start of the hatch: `18 GB free now`. */
  busyText?: string | undefined;
  minText?: string;
  maxText?: string;
  unavailable?: boolean;
  describedBy?: string | undefined;
}

/** A number between limits; shows what the host has free. Steps by arrows, Page keys, Home and End. */
export function Slider(props: Props) {
  const { label, value, min, max, step = 1, valueText, onChange, onCommit, busyFrom, busyText } = props;
  const share = (v: number) => (max > min ? Math.min(1, Math.max(0, (v - min) / (max - min))) : 0);
  const busyAt = busyFrom === undefined ? 1 : share(busyFrom);
  // Close to an end its words stand beside that end's, not on them.
  const busyPlace = busyAt > 0.75 ? " at-end" : busyAt < 0.2 ? " at-start" : "";
  const style = {
    "--fill": share(value),
    "--busy": busyAt,
  } as CSSProperties;
  return (
    <div className={props.unavailable ? "slider unavailable" : "slider"} style={style}>
      <div className="slider-track">
        {busyAt < 1 ? <div className="slider-busy" /> : null}
        <div className="slider-fill" />
        <input
          type="range"
          aria-label={label}
          aria-valuetext={valueText}
          aria-disabled={props.unavailable ? true : undefined}
          aria-describedby={props.describedBy}
          min={min}
          max={max}
          step={step}
          value={value}
          onChange={(event) => {
            if (!props.unavailable) onChange(Number(event.target.value));
          }}
          onPointerUp={(event) => onCommit?.(Number(event.currentTarget.value))}
          onKeyUp={(event) => onCommit?.(Number(event.currentTarget.value))}
          onBlur={(event) => onCommit?.(Number(event.currentTarget.value))}
        />
      </div>
      <div className="slider-scale num" aria-hidden="true">
        <span>{props.minText}</span>
        {busyText && busyAt < 1 ? (
          <span className={`slider-busy-text${busyPlace}`}>{busyText}</span>
        ) : null}
        <span>{props.maxText}</span>
      </div>
    </div>
  );
}
