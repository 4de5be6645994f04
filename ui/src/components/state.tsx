import type { MachineState } from "../data";
import { t, type MessageKey } from "../i18n";
import "./state.css";

/** How a state is drawn: seven states of the service share six marks. */
export type Mark = "running" | "paused" | "saved" | "stopped" | "error" | "busy";

const MARKS: Record<MachineState, Mark> = {
  running: "running",
  paused: "paused",
  suspended: "saved",
  stopped: "stopped",
  broken: "error",
  starting: "busy",
  stopping: "busy",
  creating: "busy",
};

export const markOf = (state: MachineState): Mark => MARKS[state];

const PILLS: Record<Mark, string> = {
  running: "ok",
  paused: "warn",
  saved: "saved",
  stopped: "",
  error: "bad",
  busy: "accent",
};

/** The state in words. */
export const stateText = (state: MachineState): string => t(`state.${state}` satisfies MessageKey);

const SHAPES: Record<Mark, React.ReactNode> = {
  running: <circle cx="5" cy="5" r="4" fill="currentColor" />,
  paused: (
    <>
      <rect x="1.5" y="1" width="2.6" height="8" rx="1" fill="currentColor" />
      <rect x="5.9" y="1" width="2.6" height="8" rx="1" fill="currentColor" />
    </>
  ),
  saved: <path d="M5 .6 9.4 5 5 9.4.6 5z" fill="currentColor" />,
  stopped: <circle cx="5" cy="5" r="3.4" fill="none" stroke="currentColor" strokeWidth="1.5" />,
  error: <path d="M5 .8 9.6 9H.4z" fill="currentColor" />,
  busy: (
    <circle cx="5" cy="5" r="3.6" fill="none" stroke="currentColor" strokeWidth="1.7" strokeDasharray="14 9" />
  ),
};

/** Shape and colour of a state; the words are always near. */
export function StateMark({ state }: { state: MachineState }) {
  const mark = markOf(state);
  return (
    <span className={`mark ${mark}`} aria-hidden="true">
      <svg viewBox="0 0 10 10">{SHAPES[mark]}</svg>
    </span>
  );
}

export function StatePill({ state }: { state: MachineState }) {
  return (
    <span className={`pill ${PILLS[markOf(state)]}`}>
      <StateMark state={state} />
      {stateText(state)}
    </span>
  );
}
